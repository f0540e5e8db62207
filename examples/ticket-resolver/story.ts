import { printTimeline, printTraces } from "@ashlar/observability";
import { PRICING, TRACE_STORE } from "@ashlar/observability/inversify";
import { SESSION_RECORDS } from "@ashlar/runtime/inversify";
import { TENANT, type WorkerConfig } from "./config.ts";
import { compose } from "./container.ts";
import type { Terminal } from "./terminal.ts";

/** The session's timeline and traces, read back from the stores. */
export async function printSession(config: WorkerConfig, session: string, terminal: Terminal): Promise<void> {
  const { container, close } = await compose(config);
  try {
    const context = { principal: { tenant: TENANT } };
    const { colour } = terminal;
    const { items } = await container.get(SESSION_RECORDS).events(context, session, { limit: 1000 });
    terminal.title("Timeline");
    terminal.line(printTimeline(items, { colour }));

    terminal.title("Traces");
    const store = container.get(TRACE_STORE);
    const pricing = container.get(PRICING);
    for (const { traceId } of (await store.list(context, { session })).items.toReversed()) {
      terminal.line(printTraces(await store.trace(context, traceId), { pricing, colour }));
    }
    const { tokens, cost } = totals(items);
    terminal.line(`\n  ${tokens} tokens, ${cost}`);
  } finally {
    await close();
  }
}

function totals(events: readonly { readonly type: string; readonly body?: unknown }[]): {
  readonly tokens: number;
  readonly cost: string;
} {
  const used = events.filter(({ type }) => type === "usage.recorded").map(({ body }) => body as Record<string, number>);
  const sum = (name: string) => used.reduce((total, each) => total + (each[name] ?? 0), 0);
  return { tokens: sum("inputTokens") + sum("outputTokens"), cost: `${(sum("costMicros") / 1e6).toFixed(4)} USD` };
}
