import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BlobWorkspaces } from "../blobs/index.ts";
import { Environments } from "../environments.ts";
import { context, eventsOf, field, start, until } from "../fixtures/stage.ts";
import { ProcessHost, WorkspaceHost } from "../host/index.ts";
import { InMemoryBlobStore, InMemoryCatalog, InMemorySessionLog, InMemoryWorkQueue } from "../in-memory/index.ts";
import type { Runtime } from "../runtime.ts";
import { ManualClock } from "../testing/index.ts";
import { hostedAgent, type Place } from "./index.ts";

/** Says which process it is, how often it was asked, and what stands in its folder; then adds a line to it. */
const code = `
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { serveHosted } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
let asked = 0;
await serveHosted(async (session, input) => {
  const found = existsSync("notes") ? readFileSync("notes", "utf8") : "";
  if (input.body === "write" || input.body === "write and die") appendFileSync("notes", "x");
  if (input.body === "write and die") process.exit(1);
  if (input.body === "hang") await session.emit("hanging").then(() => new Promise(() => {}));
  if (input.body === "wait") await session.waitFor("go");
  return { pid: process.pid, asked: ++asked, found, size: process.env.SIZE ?? null };
});`;

let folder = "";
let command: readonly string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-places-"));
  const file = join(folder, "agent.mts");
  await writeFile(file, code);
  command = [process.execPath, "--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", file];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Answer {
  readonly pid: number;
  readonly asked: number;
  readonly found: string;
  readonly size: string | null;
}

async function turn(runtime: Runtime, id: string, body: string): Promise<Answer> {
  const { seq } = await runtime.sessions.send(context, id, { type: "user.message", body });
  return field(await until(runtime, id, "turn.completed", seq), "output") as unknown as Answer;
}

const sandboxes = async (runtime: Runtime, id: string) =>
  (await eventsOf(runtime, id)).flatMap(({ type, body }) => (type.startsWith("sandbox.") ? [[type, body]] : []));

const agentAt = (place: Place | ((at: typeof context) => Promise<Place>), clock?: ManualClock) =>
  hostedAgent({
    name: "child",
    program: { command },
    place: place as Place,
    ...(clock === undefined ? {} : { clock }),
  });

test("a child is kept for its session's next turn, freed after its idle time, and the log says that it is a new one", async () => {
  const clock = new ManualClock();
  const runtime = await start([agentAt({ host: new ProcessHost(), idleTimeoutMs: 1_000 }, clock)]);
  const { id } = await runtime.sessions.open(context, { agent: "child" });
  const first = await turn(runtime, id, "one");
  expect(await turn(runtime, id, "two")).toEqual({ ...first, asked: 2 });
  const other = await runtime.sessions.open(context, { agent: "child" });
  expect((await turn(runtime, other.id, "one")).pid).not.toBe(first.pid);
  await clock.advance(1_000);
  expect(await turn(runtime, id, "three")).toMatchObject({ asked: 1 });
  expect(await sandboxes(runtime, id)).toEqual([
    ["sandbox.started", { grade: "process" }],
    ["sandbox.restarted", { grade: "process" }],
  ]);
});

test("a child past its life takes no further turn, nor does one whose turn had to wait", async () => {
  const clock = new ManualClock();
  const runtime = await start([agentAt({ host: new ProcessHost(), maxLifeMs: 5_000 }, clock)]);
  const { id } = await runtime.sessions.open(context, { agent: "child" });
  const first = await turn(runtime, id, "one");
  clock.jump(clock.now() + 5_000);
  const second = await turn(runtime, id, "two");
  expect([second.asked, second.pid === first.pid]).toEqual([1, false]);
  await runtime.sessions.send(context, id, { type: "user.message", body: "wait" });
  await until(runtime, id, "session.status_waiting");
  await runtime.sessions.signal(context, id, "go");
  await expect.poll(async () => (await sandboxes(runtime, id)).length).toBe(3);
});

test("files outlive the child, a crash of it, and a change of machine; a zombie's older files are not kept", async () => {
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
  const workspaces = new BlobWorkspaces({ blobs: new InMemoryBlobStore() });
  const machine = async (name: string) => {
    const host = new WorkspaceHost({ host: new ProcessHost(), workspaces, folder: join(folder, name) });
    return start([agentAt({ host, workspace: true, idleTimeoutMs: 0 })], stores);
  };
  const one = await machine("one");
  const { id } = await one.sessions.open(context, { agent: "child" });
  expect((await turn(one, id, "write")).found).toBe("");
  expect((await turn(one, id, "write")).found).toBe("x");
  await one.sessions.send(context, id, { type: "user.message", body: "write and die" });
  await until(one, id, "turn.failed");
  expect((await turn(one, id, "write")).found).toBe("xxx");
  await one.close();
  const two = await machine("two");
  expect((await turn(two, id, "write")).found).toBe("xxxx");
  await two.close();
  const back = await machine("one");
  expect((await turn(back, id, "read")).found).toBe("xxxxx");
  expect((await sandboxes(back, id)).map(([type]) => type)).toEqual([
    "sandbox.started",
    ...Array(5).fill("sandbox.restarted"),
  ]);
});

test("the log says within which limits a child runs and how each is held; the one that it reached is the turn's error", async () => {
  const clock = new ManualClock();
  const limits = { memoryMiB: 2_048, lifetimeMs: 5_000 };
  const runtime = await start([agentAt({ host: new ProcessHost({ clock }), limits })]);
  const { id } = await runtime.sessions.open(context, { agent: "child" });
  await runtime.sessions.send(context, id, { type: "user.message", body: "hang" });
  await until(runtime, id, "hanging");
  await clock.advance(5_000);
  expect((await until(runtime, id, "turn.failed")).body).toMatchObject({
    code: "RUNTIME_HOST_FAILED",
    message: expect.stringContaining("lived longer than 5000 ms"),
  });
  const held = { memoryMiB: "degraded", lifetimeMs: "enforced" };
  expect(await sandboxes(runtime, id)).toEqual([["sandbox.started", { grade: "process", limits, held }]]);
});

test("a save over a newer one is refused", async () => {
  const workspaces = new BlobWorkspaces({ blobs: new InMemoryBlobStore() });
  const at = (name: string) => new WorkspaceHost({ host: new ProcessHost(), workspaces, folder: join(folder, name) });
  const program = { command: ["/bin/sh", "-c", "cat > file"], workspace: "w" };
  const zombie = await at("zombie").start(context, program);
  const next = await at("next").start(context, program);
  await next.stdin.getWriter().close();
  expect((await next.exit).reason).toBeUndefined();
  await expect(zombie.kill()).rejects.toMatchObject({ code: "RUNTIME_CONFLICT" });
});

test("an environment is a versioned place: a new version reaches a session with its next turn, in a new child", async () => {
  const environments = new Environments({ catalog: new InMemoryCatalog(), hosts: { process: new ProcessHost() } });
  await environments.put(context, "small", { host: "process", variables: { SIZE: "1" } });
  const runtime = await start([agentAt(environments.at("small"))]);
  const { id } = await runtime.sessions.open(context, { agent: "child" });
  expect((await turn(runtime, id, "one")).size).toBe("1");
  await environments.put(context, "small", { host: "process", variables: { SIZE: "2" } }, { expected: 1 });
  expect(await turn(runtime, id, "two")).toMatchObject({ size: "2", asked: 1 });
  expect((await sandboxes(runtime, id)).at(-1)).toEqual([
    "sandbox.restarted",
    { grade: "process", environment: "small@2" },
  ]);
  expect(await environments.get(context, "small", 1)).toMatchObject({ variables: { SIZE: "1" } });
  const stranger = { principal: { tenant: "globex", user: "eve" } };
  expect((await environments.list(stranger)).items).toEqual([]);
  await environments.delete(context, "small");
  await runtime.sessions.send(context, id, { type: "user.message", body: "three" });
  expect(await until(runtime, id, "turn.failed")).toMatchObject({ body: { code: "RUNTIME_NOT_FOUND" } });
});

test("bad input: environments that do not parse, or name a host that is not here", async () => {
  const environments = new Environments({ catalog: new InMemoryCatalog(), hosts: { process: new ProcessHost() } });
  for (const bad of [
    {},
    { host: "nowhere" },
    { host: "process", limits: { cpus: -1 } },
    { host: "process", size: 1 },
  ]) {
    await expect(environments.put(context, "e", bad as never)).rejects.toMatchObject({ code: "RUNTIME_INVALID" });
  }
  const stale = environments.put(context, "e", { host: "process" }, { expected: 3 });
  await expect(stale).rejects.toMatchObject({ code: "RUNTIME_CONFLICT" });
});
