import assert from "node:assert/strict";
import type { AgentEvent, AgentSessions } from "../agent-sessions.ts";
import type { CallContext } from "../dialect.ts";
import type { TestFunction } from "./suite.ts";

export interface AgentSessionsConformanceOptions {
  readonly test: TestFunction;
  create(): Promise<{
    readonly sessions: AgentSessions;
    /** Answers each message with at least one event. */
    readonly agent: string;
    /** Of a message that the agent understands. */
    readonly message: { readonly type: string; readonly body: { readonly content: string } };
    close?(): Promise<void>;
  }>;
}

const acme: CallContext = { principal: { tenant: "acme", user: "ann" } };
const globex: CallContext = { principal: { tenant: "globex", user: "eve" } };

/** The law of `AgentSessions`. */
export function agentSessionsConformance({ test, create }: AgentSessionsConformanceOptions): void {
  type Parts = Awaited<ReturnType<AgentSessionsConformanceOptions["create"]>>;
  const law = (name: string, body: (parts: Parts) => Promise<void>) =>
    test(`AgentSessions: ${name}`, async () => {
      const parts = await create();
      try {
        await body(parts);
      } finally {
        await parts.close?.();
      }
    });
  const isNotFound = (error: { kind?: string }) => error.kind === "not_found";

  law("published agents are listed; an unknown one is not_found", async ({ sessions, agent }) => {
    const { items } = await sessions.agents(acme);
    assert.ok(items.some(({ name }) => name === agent));
    await assert.rejects(sessions.open(acme, { agent: `${agent}-that-is-not` }), isNotFound);
  });

  law("one externalId is one session per tenant", async ({ sessions, agent }) => {
    const request = { agent, externalId: "ticket-1" };
    const { id } = await sessions.open(acme, request);
    assert.equal((await sessions.open(acme, request)).id, id);
    assert.notEqual((await sessions.open(globex, request)).id, id);
  });

  law("events come in order without gaps, and resume after any of them", async ({ sessions, agent, message }) => {
    const { id } = await sessions.open(acme, { agent });
    const { seq } = await sessions.send(acme, id, message);
    const all = await take(sessions, id, 0, seq + 1);
    const order = all.map((event) => event.seq ?? 0);
    assert.deepEqual(
      order,
      order.map((_, index) => (order[0] ?? 0) + index),
    );
    assert.ok(order.includes(seq), "the message itself is no event");
    assert.deepEqual(await take(sessions, id, seq, seq + 1), all.slice(order.indexOf(seq) + 1));
  });

  law("a repeated idempotency key sends once", async ({ sessions, agent, message }) => {
    const { id } = await sessions.open(acme, { agent });
    const keyed = { ...acme, idempotencyKey: "once" };
    const first = await sessions.send(keyed, id, message);
    assert.deepEqual(await sessions.send(keyed, id, message), first);
  });

  law("another tenant's session is not_found for every verb", async ({ sessions, agent, message }) => {
    const { id } = await sessions.open(acme, { agent });
    await assert.rejects(sessions.send(globex, id, message), isNotFound);
    await assert.rejects(sessions.interrupt(globex, id), isNotFound);
    await assert.rejects(sessions.stop(globex, id), isNotFound);
    await assert.rejects(sessions.events(globex, id)[Symbol.asyncIterator]().next(), isNotFound);
  });

  async function take(sessions: AgentSessions, id: string, after: number, until: number): Promise<AgentEvent[]> {
    const stop = new AbortController();
    const found: AgentEvent[] = [];
    for await (const event of sessions.events({ ...acme, signal: stop.signal }, id, { after, deltas: false })) {
      if (event.seq === undefined) continue;
      found.push(event);
      if (event.seq >= until) break;
    }
    stop.abort();
    return found;
  }
}
