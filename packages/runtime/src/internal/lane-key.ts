import type { Lane } from "../work-queue.ts";

/** One string per lane: JSON, so that no name can run into the next. */
export const laneKey = ({ tenant, agent, priority, requires }: Lane): string =>
  JSON.stringify([tenant, agent, priority, ...requires]);

export function laneOf(key: string): Lane {
  const [tenant, agent, priority, ...requires] = JSON.parse(key) as [string, string, number, ...string[]];
  return { tenant, agent, priority, requires };
}
