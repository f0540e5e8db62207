import { metrics } from "@opentelemetry/api";

/** Exported as usage: what a session is billed by. Created when first used, so that a provider set up later is heard. */
const counter = () =>
  metrics.getMeter("ashlar.runtime").createCounter("ashlar.session.active_time", {
    unit: "s",
    description: "Time in which a turn of a session ran; waiting and idling are not counted.",
  });

export function recordActive(ms: number, { tenant, agent }: { readonly tenant: string; readonly agent: string }): void {
  if (ms > 0) counter().add(ms / 1_000, { "ashlar.tenant": tenant, "gen_ai.agent.name": agent });
}
