import { expect, test } from "vitest";
import { InMemoryCatalog, InMemorySessionLog, InMemoryWorkQueue, Runtime } from "./index.ts";
import { Schedules } from "./schedules.ts";
import { ManualClock } from "./testing/index.ts";

const context = { principal: { tenant: "acme" } };
const at = (text: string) => Date.parse(text);

function setUp(start: string, fails = false) {
  const clock = new ManualClock(at(start));
  const log = new InMemorySessionLog({ clock });
  const agent = {
    name: "report",
    run: async () => {
      if (fails) throw new Error("no printer");
    },
  };
  const runtime = new Runtime({ log, queue: new InMemoryWorkQueue({ clock }), clock, agents: [agent] });
  const catalog = new InMemoryCatalog({ clock });
  const make = () => new Schedules({ catalog, sessions: runtime.sessions, log, clock });
  const started = async () => (await runtime.sessions.find(context)).items.length;
  return { clock, runtime, make, started };
}

test("a cron is read in its time zone, also across the change of daylight saving", async () => {
  const { make } = setUp("2026-03-28T12:00:00Z");
  const berlin = await make().put(context, "daily", {
    agent: "report",
    cron: "0 9 * * *",
    timeZone: "Europe/Berlin",
    input: {},
  });
  expect(berlin.nextAt).toBe(at("2026-03-29T07:00:00Z"));
});

test("an instant opens one session, however many processes look", async () => {
  const { clock, make, started } = setUp("2026-01-01T08:59:00Z");
  const [one, two] = [make(), make()];
  await one.put(context, "daily", { agent: "report", cron: "0 9 * * *", input: { text: "go" } });
  await one.tick();
  expect(await started()).toBe(0);
  await clock.advance(60_000);
  await Promise.all([one.tick(), two.tick(), one.tick()]);
  expect(await started()).toBe(1);
  expect((await two.get(context, "daily"))?.nextAt).toBe(at("2026-01-02T09:00:00Z"));
});

test("jitter makes a start late by less than its bound, and by the same in every process", async () => {
  const { clock, make, started } = setUp("2026-01-01T08:59:59Z");
  await make().put(context, "daily", { agent: "report", cron: "0 9 * * *", input: {}, jitterMs: 60_000 });
  await clock.advance(1_000);
  await make().tick();
  const early = await started();
  await clock.advance(60_000);
  await make().tick();
  expect([early, await started()]).toEqual([0, 1]);
});

test("failures in a row pause a schedule with the reason, and resuming starts it again", async () => {
  const { clock, runtime, make } = setUp("2026-01-01T08:59:00Z", true);
  await runtime.start();
  const schedules = make();
  await schedules.put(context, "hourly", { agent: "report", cron: "0 * * * *", input: {}, maxFailures: 2 });
  for (let hour = 0; hour < 4; hour++) {
    await clock.advance(3_600_000);
    await schedules.tick();
    await clock.advance(5_000);
  }
  const paused = await schedules.get(context, "hourly");
  expect(paused?.pausedBecause).toContain("The last 2 sessions failed");
  expect((await runtime.sessions.find(context)).items).toHaveLength(2);
  await schedules.resume(context, "hourly");
  expect((await schedules.get(context, "hourly"))?.nextAt).toBeGreaterThan(clock.now());
  await runtime.close();
});

test("what does not parse is refused and nothing is kept", async () => {
  const { make } = setUp("2026-01-01T00:00:00Z");
  const schedules = make();
  for (const broken of [
    { cron: "every day" },
    { cron: "0 9 * * *", timeZone: "Mars/Olympus" },
    { cron: "* * * * *", jitterMs: -1 },
  ]) {
    await expect(schedules.put(context, "x", { agent: "report", input: {}, ...broken })).rejects.toMatchObject({
      code: "RUNTIME_INVALID",
    });
  }
  expect((await schedules.list(context)).items).toEqual([]);
});
