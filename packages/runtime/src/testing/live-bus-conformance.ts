import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import type { LiveBus, LiveMessage } from "../live-bus.ts";
import type { TestFunction } from "./suite.ts";

export interface LiveBusConformance {
  readonly test: TestFunction;
  createBus(): LiveBus | Promise<LiveBus>;
  /** Resolves when what was published has been delivered. Default: at once. */
  settle?(): Promise<void>;
}

const acme: CallContext = { principal: { tenant: "acme" } };
const other: CallContext = { principal: { tenant: "acme2" } };
const delta = (text: string): LiveMessage => ({ type: "delta", turn: 1, step: "1/model", body: { text } });

/** The law of `LiveBus`. */
export function liveBusConformance({ test, createBus, settle = async () => {} }: LiveBusConformance): void {
  const law = (name: string, body: (bus: LiveBus) => Promise<void>) =>
    test(`live bus: ${name}`, async () => {
      const bus = await createBus();
      try {
        await body(bus);
      } finally {
        await bus.close();
      }
    });

  law("every listener of a session hears its messages in order, and no others", async (bus) => {
    const heard: Record<string, LiveMessage[]> = { a: [], b: [], session: [], tenant: [] };
    const listen = (name: string, context: CallContext, session: string) =>
      bus.subscribe(context, session, (message) => void heard[name]?.push(message));
    await listen("a", acme, "ses_1");
    await listen("b", acme, "ses_1");
    await listen("session", acme, "ses_2");
    await listen("tenant", other, "ses_1");
    for (const text of ["x", "y", "z"]) await bus.publish(acme, "ses_1", delta(text));
    await settle();
    assert.deepEqual(heard.a, ["x", "y", "z"].map(delta));
    assert.deepEqual(heard.b, heard.a);
    assert.deepEqual([heard.session, heard.tenant], [[], []]);
  });

  law("a listener that left hears nothing, and leaving twice is harmless", async (bus) => {
    const heard: LiveMessage[] = [];
    const subscription = await bus.subscribe(acme, "ses_1", (message) => void heard.push(message));
    await subscription[Symbol.asyncDispose]();
    await subscription[Symbol.asyncDispose]();
    await bus.publish(acme, "ses_1", delta("x"));
    await settle();
    assert.deepEqual(heard, []);
  });
}
