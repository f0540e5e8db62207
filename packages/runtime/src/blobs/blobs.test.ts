import { expect, test } from "vitest";
import type { Agent } from "../agent.ts";
import { ask, context, eventsOf, field, start, until } from "../fixtures/stage.ts";
import { InMemoryBlobStore, InMemorySessionLog } from "../in-memory/index.ts";
import { sessionLogConformance } from "../testing/index.ts";
import { BlobSessionLog, BlobWorkspaces } from "./index.ts";

sessionLogConformance({
  test,
  createLog: (deps) =>
    new BlobSessionLog({ log: new InMemorySessionLog(deps), blobs: new InMemoryBlobStore(), inlineLength: 4 }),
});

class CountedBlobs extends InMemoryBlobStore {
  readonly keys = new Set<string>();

  override put(...args: Parameters<InMemoryBlobStore["put"]>) {
    this.keys.add(args[1]);
    return super.put(...args);
  }

  override delete(...args: Parameters<InMemoryBlobStore["delete"]>) {
    this.keys.delete(args[1]);
    return super.delete(...args);
  }
}

const big = (letter: string) => ({ text: letter.repeat(100_000) });

test("a large body lies in the blob store and is read as if it lay in the log; a replay and a fork find it", async () => {
  const blobs = new CountedBlobs();
  const inner = new InMemorySessionLog();
  const log = new BlobSessionLog({ log: inner, blobs });
  let runs = 0;
  const agent: Agent = {
    name: "large",
    async run(session, { body }) {
      const made = await session.step("make", async () => {
        runs += 1;
        return big("b");
      });
      await session.waitFor("go");
      return { same: JSON.stringify(made) === JSON.stringify(big("b")), asked: JSON.stringify(body).length };
    },
  };
  const runtime = await start([agent], { log });
  const id = await ask(runtime, "large", big("a"));
  await until(runtime, id, "session.status_waiting");
  await runtime.sessions.signal(context, id, "go");
  const { seq, body } = await until(runtime, id, "turn.completed");
  expect([body, runs]).toEqual([{ output: { same: true, asked: 100_011 } }, 1]);
  expect(blobs.keys.size).toBe(2);
  const kept = (await inner.read(context, id)).filter(({ blob }) => blob !== undefined);
  expect(kept.map(({ body, blob }) => [body, blob?.mediaType, blob?.bytes])).toEqual([
    [undefined, "application/json", 100_011],
    [undefined, "application/json", 100_022],
  ]);
  expect(field((await eventsOf(runtime, id))[1] as never, "text")).toBe("a".repeat(100_000));

  const fork = await runtime.sessions.fork(context, id, { afterSeq: seq, effects: "recorded" });
  await expect.poll(async () => (await runtime.sessions.get(context, id)).owner).toBeUndefined();
  await runtime.sessions.delete(context, id);
  expect([...blobs.keys].every((key) => key.startsWith(`events/${fork.id}/`))).toBe(true);
  expect(field((await eventsOf(runtime, fork.id))[1] as never, "text")).toBe("a".repeat(100_000));
  await runtime.sessions.delete(context, fork.id);
  expect(blobs.keys.size).toBe(0);
});

test("a repeated large input leaves one blob, and one for a stranger's session leaves none", async () => {
  const blobs = new CountedBlobs();
  const runtime = await start([{ name: "a", run: async () => {} }], {
    log: new BlobSessionLog({ log: new InMemorySessionLog(), blobs }),
  });
  const { id } = await runtime.sessions.open(context, { agent: "a" });
  const keyed = { ...context, idempotencyKey: "k" };
  const first = await runtime.sessions.send(keyed, id, { type: "user.message", body: big("a") });
  expect(await runtime.sessions.send(keyed, id, { type: "user.message", body: big("b") })).toEqual(first);
  const foreign = runtime.sessions.send({ principal: { tenant: "globex" } }, id, { type: "x", body: big("c") });
  await expect(foreign).rejects.toMatchObject({ kind: "not_found" });
  expect(blobs.keys.size).toBe(1);
});

test("a body that the blob store lost is an error that names it, not an empty event", async () => {
  const blobs = new InMemoryBlobStore();
  const log = new BlobSessionLog({ log: new InMemorySessionLog(), blobs });
  const runtime = await start([{ name: "a", run: async () => {} }], { log });
  const { id } = await runtime.sessions.open(context, { agent: "a" });
  const { seq } = await runtime.sessions.send(context, id, { type: "user.note", body: big("a") });
  const [event] = await log.read(context, id, { after: seq - 1, limit: 1 });
  await blobs.delete(context, event?.blob?.key ?? "");
  await expect(log.read(context, id)).rejects.toMatchObject({ code: "RUNTIME_BACKEND_FAILED" });
});

test("workspaces: the newest save is restored, a cut-off save leaves the one before, tenants do not meet", async () => {
  const blobs = new CountedBlobs();
  const workspaces = new BlobWorkspaces({ blobs });
  const bytes = (text: string) => new Blob([text]).stream() as ReadableStream<Uint8Array>;
  const read = async (of = context) => {
    const stream = await workspaces.restore(of, "ses_1");
    return stream === undefined ? undefined : new Response(stream).text();
  };
  expect(await read()).toBeUndefined();
  await workspaces.save(context, "ses_1", bytes("one"));
  await workspaces.save(context, "ses_1", bytes("two"));
  const cut = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("cut")) });
  await expect(workspaces.save(context, "ses_1", cut)).rejects.toThrow("cut");
  expect(await read()).toBe("two");
  expect(await read({ principal: { tenant: "globex", user: "eve" } })).toBeUndefined();
  await workspaces.delete(context, "ses_1");
  expect([await read(), await workspaces.newest(context, "ses_1")]).toEqual([undefined, undefined]);
});
