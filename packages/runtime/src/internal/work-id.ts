import { RuntimeError } from "../errors.ts";

/** Work for outside is named by its session and the `seq` of the `work.requested` that holds it. */
export interface WorkName {
  readonly session: string;
  readonly request: number;
}

export const workId = ({ session, request }: WorkName): string => `wrk:${session}:${request}`;

export function workName(id: string): WorkName {
  const [, session, request] = /^wrk:(.+):(\d+)$/.exec(id) ?? [];
  if (session === undefined) throw new RuntimeError("RUNTIME_INVALID", `${id.slice(0, 200)} names no work.`);
  return { session, request: Number(request) };
}

/** The label that keeps work for outside away from workers that run sessions. */
export const environmentLabel = (environment: string): string => `environment:${environment}`;
