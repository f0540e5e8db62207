import { expect, test } from "vitest";
import type { Agent } from "./agent.ts";
import { ask, context, field, start, until } from "./fixtures/stage.ts";
import type { Runtime } from "./runtime.ts";
import type { StreamedEvent } from "./sessions.ts";

const stranger = { principal: { tenant: "globex" } };
const agent: Agent = {
  name: "counts",
  async run(session) {
    await session.meter({ inputTokens: 7, outputTokens: 2 });
    await session.emit("agent.message", { text: "one" });
    await session.emit("agent.message", { text: "two" });
  },
};

type Options = Parameters<Runtime["sessions"]["events"]>[2];

/** What a stream gives until it has given `type`, or ends. */
async function read(runtime: Runtime, id: string, options: Options, type = "none"): Promise<readonly StreamedEvent[]> {
  const events: StreamedEvent[] = [];
  for await (const event of runtime.sessions.events(context, id, options)) {
    events.push(event);
    if (event.type === type) break;
  }
  return events;
}

const snapshot = ([first]: readonly StreamedEvent[]) => (first?.type === "session.snapshot" ? first.body : undefined);
const seqs = (events: readonly StreamedEvent[]) => events.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

async function done() {
  const runtime = await start([agent]);
  const id = await ask(runtime, "counts");
  const { seq: head } = await until(runtime, id, "session.status_idle");
  return { runtime, id, head };
}

test("a stream gives a snapshot first, whose head is where the past ends, and then each event after any number, once", async () => {
  const { runtime, id, head } = await done();
  for (const after of from(0, head - 1)) {
    const events = await read(runtime, id, { after, deltas: true }, "session.status_idle");
    expect(snapshot(events)).toMatchObject({
      ...{ id, agent: "counts", agentVersion: "1", status: "idle", head, turns: 1 },
      usage: { inputTokens: 7, outputTokens: 2 },
    });
    expect(seqs(events)).toEqual(from(after + 1, head));
    expect(events.filter(({ seq }) => seq === undefined)).toHaveLength(1);
  }
});

test("whoever has all is told how the session stands, and then only what is new", async () => {
  const { runtime, id, head } = await done();
  const stream = runtime.sessions.events(context, id, { after: head })[Symbol.asyncIterator]();
  expect(snapshot([(await stream.next()).value])).toMatchObject({ status: "idle", head });
  const next = stream.next();
  const { seq } = await runtime.sessions.send(context, id, { type: "user.message", body: null });
  expect((await next).value).toMatchObject({ seq, type: "user.message" });
  await stream.return?.();
});

test("a fork's snapshot is its own: what it took over and where it stands", async () => {
  const { runtime, id } = await done();
  const message = await until(runtime, id, "agent.message");
  const fork = await runtime.sessions.fork(context, id, { afterSeq: message.seq, effects: "recorded" });
  const { seq: head } = await until(runtime, fork.id, "session.status_idle");
  const events = await read(runtime, fork.id, { after: message.seq }, "session.status_idle");
  expect(snapshot(events)).toMatchObject({ id: fork.id, status: "idle", head, turns: 1, usage: { inputTokens: 7 } });
  expect([events[1]?.type, seqs(events)]).toEqual(["session.forked", from(message.seq + 1, head)]);
});

test("an ended session's stream says so and ends, also for one who has seen the end", async () => {
  const { runtime, id } = await done();
  await runtime.sessions.kill(context, id);
  await runtime.sessions.archive(context, id);
  const { head } = await runtime.sessions.get(context, id);
  for (const after of [0, head - 1, head]) {
    const events = await read(runtime, id, { after });
    expect([field(events[0] as never, "status"), seqs(events)]).toEqual(["ended", from(after + 1, head)]);
  }
});

test("who does not want the snapshot gets events only; nobody gets another tenant's", async () => {
  const { runtime, id, head } = await done();
  const events = await read(runtime, id, { snapshot: false }, "session.status_idle");
  expect(events.map(({ seq }) => seq)).toEqual(from(1, head));
  for (const [at, session] of [
    [stranger, id],
    [context, "ses_none"],
  ] as const) {
    const stream = runtime.sessions.events(at, session)[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject({ code: "RUNTIME_NOT_FOUND" });
  }
});
