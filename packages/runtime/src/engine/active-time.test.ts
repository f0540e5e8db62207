import { type Attributes, type MeterProvider, metrics } from "@opentelemetry/api";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Agent } from "../agent.ts";
import { ask, context, start } from "../fixtures/stage.ts";
import { InMemorySessionLog, InMemoryWorkQueue } from "../in-memory/index.ts";
import { Runtime } from "../runtime.ts";
import { ManualClock } from "../testing/index.ts";

interface Measured {
  readonly meter: string;
  readonly name: string;
  readonly unit: string | undefined;
  readonly value: number;
  readonly attributes: Attributes | undefined;
}

const measured: Measured[] = [];
const provider = {
  getMeter: (meter: string) => ({
    createCounter: (name: string, { unit }: { readonly unit?: string } = {}) => ({
      add: (value: number, attributes?: Attributes) => measured.push({ meter, name, unit, value, attributes }),
    }),
  }),
} as unknown as MeterProvider;

beforeAll(() => metrics.setGlobalMeterProvider(provider));
afterAll(() => metrics.disable());

const total = (tenant: string) =>
  measured.reduce((sum, { value, attributes }) => sum + (attributes?.["ashlar.tenant"] === tenant ? value : 0), 0);

test("active time is exported as usage, by tenant and agent: as much as the record says, and nothing for waits and idling", async () => {
  const clock = new ManualClock();
  const work = (ms: number) => async () => {
    clock.jump(clock.now() + ms);
    return null;
  };
  const agent: Agent = {
    name: "works",
    async run(session) {
      await session.step("first", work(2_000));
      await session.sleep("a day", 86_400_000);
      await session.step("second", work(500));
    },
  };
  const runtime = await start([agent], { clock, sweepMs: 1_000, leaseMs: 1e9 });
  const id = await ask(runtime, "works");
  const status = async () => (await runtime.sessions.get(context, id)).status;
  await expect.poll(status).toBe("waiting");
  expect(total("acme")).toBe(2);
  await clock.advance(86_500_000);
  await expect.poll(status).toBe("idle");
  expect(total("acme")).toBe(2.5);
  await clock.advance(30 * 86_400_000);
  expect((await runtime.records.list(context)).items).toMatchObject([{ id, activeMs: total("acme") * 1_000 }]);
  expect(measured[0]).toMatchObject({
    ...{ meter: "ashlar.runtime", name: "ashlar.session.active_time", unit: "s" },
    attributes: { "ashlar.tenant": "acme", "gen_ai.agent.name": "works" },
  });
});

test("what the log did not take is not exported: a worker that lost its session bills nothing for it", async () => {
  const clock = new ManualClock();
  const refused = Promise.withResolvers<void>();
  class Log extends InMemorySessionLog {
    override async append(...args: Parameters<InMemorySessionLog["append"]>) {
      return super.append(...args).catch((error) => {
        refused.resolve();
        throw error;
      });
    }
  }
  const stores = { log: new Log({ clock }), queue: new InMemoryWorkQueue({ clock }) };
  const before = total("acme");
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const agent: Agent = {
    name: "stays",
    async run() {
      reached.resolve();
      await gate.promise;
    },
  };
  const runtime = await start([agent], { ...stores, clock, sweepMs: 1_000, leaseMs: 1e9 });
  const id = await ask(runtime, "stays");
  await reached.promise;
  await new Runtime({ ...stores, clock, agents: [agent] }).sessions.kill(context, id);
  clock.jump(clock.now() + 60_000);
  gate.resolve();
  await refused.promise;
  await runtime.close();
  expect([total("acme"), (await runtime.records.list(context)).items[0]?.activeMs]).toEqual([before, 0]);
});
