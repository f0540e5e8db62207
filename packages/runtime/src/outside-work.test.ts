import { expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { ask, context, field, start, typesOf, until } from "./fixtures/stage.ts";
import { ManualClock } from "./testing/index.ts";

const agent = (more: { readonly timeoutMs?: number } = {}): Agent => ({
  name: "asks-outside",
  async run(session, { body }) {
    const scanned = await session.outside("scan", { environment: "lab", input: body, ...more });
    return { scanned };
  },
});

const output = async (runtime: Awaited<ReturnType<typeof start>>, id: string) =>
  field(await until(runtime, id, "turn.completed"), "output");

test("a worker outside polls, acknowledges, heartbeats and reports; the session waited without a process", async () => {
  const runtime = await start([agent()]);
  const id = await ask(runtime, "asks-outside", "page 1");
  await until(runtime, id, "session.status_waiting");
  expect(await runtime.work.depth(context, "lab")).toMatchObject({ waiting: 1, working: 0 });
  const item = await runtime.work.poll(context, "lab");
  expect(item).toMatchObject({ session: id, input: "page 1" });
  const lease = item?.lease ?? "";
  await runtime.work.acknowledge(context, lease);
  await runtime.work.acknowledge(context, lease);
  expect(await runtime.work.heartbeat(context, lease)).toMatchObject({ stop: false });
  await runtime.work.complete(context, lease, { text: "hello" });
  expect(await output(runtime, id)).toEqual({ scanned: { text: "hello" } });
  await expect(runtime.work.complete(context, lease, "again")).rejects.toMatchObject({ code: "RUNTIME_CONFLICT" });
  expect((await typesOf(runtime, id)).filter((type) => type === "work.acknowledged")).toHaveLength(1);
  expect(await runtime.work.depth(context, "lab")).toEqual({ waiting: 0, working: 0 });
  expect(await runtime.sessions.check(context, id)).toEqual({ turns: 1 });
});

test("a poll waits for work that comes, and gives nothing to another tenant or environment", async () => {
  const runtime = await start([agent()]);
  const waiting = runtime.work.poll(context, "lab", { waitMs: 10_000 });
  const id = await ask(runtime, "asks-outside", "page 1");
  expect((await waiting)?.session).toBe(id);
  const other = await ask(runtime, "asks-outside", "page 2");
  await until(runtime, other, "session.status_waiting");
  expect(await runtime.work.poll({ principal: { tenant: "globex" } }, "lab")).toBeUndefined();
  expect(await runtime.work.poll(context, "office")).toBeUndefined();
  expect((await runtime.work.poll(context, "lab"))?.session).toBe(other);
});

test("work whose worker falls silent goes to another; whoever reports first counts", async () => {
  const clock = new ManualClock();
  const runtime = await start([agent()], { clock, sweepMs: 1_000, leaseMs: 1e9 });
  const id = await ask(runtime, "asks-outside", "page 1");
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("waiting");
  const silent = await runtime.work.poll(context, "lab", { leaseMs: 5_000 });
  expect(await runtime.work.poll(context, "lab")).toBeUndefined();
  await clock.advance(6_000);
  const next = await runtime.work.poll(context, "lab");
  expect([next?.id, next?.lease === silent?.lease]).toEqual([silent?.id, false]);
  await runtime.work.complete(context, next?.lease ?? "", 2);
  const late = runtime.work.complete(context, silent?.lease ?? "", 1);
  await expect(late).rejects.toMatchObject({ code: "RUNTIME_CONFLICT" });
  expect(await runtime.work.heartbeat(context, silent?.lease ?? "")).toMatchObject({ stop: true });
  await clock.advance(2_000);
  expect(await output(runtime, id)).toEqual({ scanned: 2 });
});

test("a failure reaches the session as an error; a stop tells the worker and the session", async () => {
  const runtime = await start([agent()]);
  const failing = await ask(runtime, "asks-outside");
  const item = await runtime.work.poll(context, "lab", { waitMs: 10_000 });
  await runtime.work.fail(context, item?.lease ?? "", { code: "JAM", message: "paper jam" });
  expect(await until(runtime, failing, "turn.failed")).toMatchObject({
    body: { code: "RUNTIME_STEP_FAILED", message: expect.stringContaining("paper jam") },
  });
  const stopped = await ask(runtime, "asks-outside");
  const held = await runtime.work.poll(context, "lab", { waitMs: 10_000 });
  await runtime.work.stop(context, held?.id ?? "");
  expect(await runtime.work.heartbeat(context, held?.lease ?? "")).toMatchObject({ stop: true });
  expect(await until(runtime, stopped, "turn.failed")).toMatchObject({
    body: { message: expect.stringContaining("RUNTIME_CANCELLED") },
  });
});

test("without a worker the wait ends at its time; work that the queue forgot is offered again", async () => {
  const clock = new ManualClock();
  const runtime = await start([agent({ timeoutMs: 150_000 })], { clock, sweepMs: 1_000, leaseMs: 1e9 });
  const id = await ask(runtime, "asks-outside");
  await expect.poll(async () => (await runtime.sessions.get(context, id)).status).toBe("waiting");
  const lost = await runtime.work.poll(context, "lab", { leaseMs: 100 });
  await runtime.work.heartbeat(context, lost?.lease ?? "");
  await clock.advance(62_000);
  expect(await runtime.work.depth(context, "lab")).toMatchObject({ waiting: 1 });
  await clock.advance(100_000);
  expect(await until(runtime, id, "turn.failed")).toMatchObject({ body: { code: "RUNTIME_WAIT_TIMEOUT" } });
});

test("bad input: leases that were not given are typed errors and change nothing", async () => {
  const runtime = await start([agent()]);
  await ask(runtime, "asks-outside");
  const item = await runtime.work.poll(context, "lab", { waitMs: 10_000 });
  for (const lease of ["", "e30", `${item?.lease.slice(9)}`, Buffer.from('{"owner":"[1]"}').toString("base64url")]) {
    await expect(runtime.work.complete(context, lease, 1)).rejects.toMatchObject({ kind: "invalid" });
  }
  const foreign = runtime.work.complete({ principal: { tenant: "globex" } }, item?.lease ?? "", 1);
  await expect(foreign).rejects.toMatchObject({ kind: "conflict" });
  await expect(runtime.work.poll(context, "lab", { leaseMs: 1e9 })).rejects.toMatchObject({ kind: "invalid" });
});
