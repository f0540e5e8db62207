import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EVENT_SCHEMA_VERSION } from "../session-event.ts";
import { ManualClock } from "../testing/index.ts";
import { SqliteCatalog, SqliteSessionLog, SqliteWorkQueue } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const lane = { tenant: "acme", agent: "a", priority: 0, requires: [] };
const event = (type: string) => ({ id: `evt_${type}`, type, at: 1, schemaVersion: EVENT_SCHEMA_VERSION });
const session = { id: "ses_1", agent: "a", agentVersion: "1", status: "idle", metadata: {}, state: {}, at: 1 } as const;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-sqlite-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const open = () => new Database(join(folder, "runtime.db"));

test("processes that open one new file at once share it: one claims each session, limits hold, no event is lost", async () => {
  const writer = fileURLToPath(new URL("fixtures/writer.ts", import.meta.url));
  const run = promisify(execFile);
  const reports = await Promise.all(
    ["w1", "w2", "w3"].map(async (owner) => {
      const args = ["--conditions=@ashlar/source", writer, join(folder, "runtime.db"), owner, "20"];
      const { stdout } = await run(process.execPath, args);
      return JSON.parse(stdout) as { claimed: string[]; taken: number };
    }),
  );
  expect(reports.flatMap(({ claimed }) => claimed).sort()).toEqual(
    Array.from({ length: 20 }, (_, index) => `ses_${index}`).sort(),
  );
  expect(reports.reduce((sum, { taken }) => sum + taken, 0)).toBe(10);
  const database = open();
  const log = new SqliteSessionLog({ database });
  const { items } = await log.find(context, {});
  expect(items).toHaveLength(20);
  for (const { id } of items) {
    const events = await log.read(context, id);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  }
  database.close();
});

test("what one process puts wakes a worker of another", async () => {
  const [ours, theirs] = [open(), open()];
  const clock = new ManualClock();
  const other = new SqliteWorkQueue({ database: theirs });
  const queue = new SqliteWorkQueue({ database: ours, clock, pollMs: 25 });
  const never = new AbortController().signal;
  let woken = 0;
  const waiting = [1, 2].map(() =>
    queue.wakeup(never).then(() => {
      woken += 1;
    }),
  );
  await clock.advance(100);
  expect(woken).toBe(0);
  await other.put([{ session: "ses_1", lane, availableAt: 0 }]);
  await clock.advance(25);
  expect(woken).toBe(2);
  await Promise.all(waiting);
  for (const database of [ours, theirs]) database.close();
});

test("a file is found again as it was left, with all stores in it", async () => {
  const first = open();
  const before = new SqliteSessionLog({ database: first });
  await before.create(context, { ...session, events: [event("session.created")] });
  const claim = await before.claim(context, "ses_1", { owner: "w1" });
  await before.append(context, "ses_1", claim?.fence ?? "", [event("a")], { state: { turn: 1 } });
  await new SqliteWorkQueue({ database: first }).put([{ session: "ses_1", lane, availableAt: 5 }]);
  await new SqliteCatalog({ database: first }).put(context, "agent", "a", { version: 1 });
  first.close();

  const second = open();
  const log = new SqliteSessionLog({ database: second });
  expect(await log.get(context, "ses_1")).toMatchObject({ head: 2, state: { turn: 1 }, owner: "w1" });
  expect((await log.claim(context, "ses_1", { owner: "w2" }))?.tookOverFrom).toBe("w1");
  expect(await new SqliteWorkQueue({ database: second }).lanes()).toEqual([{ lane, nextAt: 5 }]);
  expect((await new SqliteCatalog({ database: second }).get(context, "agent", "a"))?.body).toEqual({ version: 1 });
  second.close();
});

test("a file of a later release is refused, and says what to do", () => {
  const database = open();
  new SqliteSessionLog({ database });
  database.exec("UPDATE ashlar_schema SET version = 99 WHERE store = 'runtime_session_log'");
  expect(() => new SqliteSessionLog({ database })).toThrow(
    expect.objectContaining({ code: "RUNTIME_INVALID", message: expect.stringContaining("Upgrade the package") }),
  );
  database.close();
});

test("durability full syncs every commit, and another store on the connection does not weaken it", () => {
  const database = open();
  new SqliteSessionLog({ database, durability: "full" });
  new SqliteWorkQueue({ database });
  new SqliteCatalog({ database });
  expect(database.pragma("synchronous", { simple: true })).toBe(2);
  expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
  database.close();
});

test("a locked file is a typed error that may be tried again, and nothing was written", async () => {
  const [ours, theirs] = [open(), open()];
  const log = new SqliteSessionLog({ database: ours });
  ours.pragma("busy_timeout = 1");
  await log.create(context, { ...session, events: [] });
  const claim = await log.claim(context, "ses_1", { owner: "w1" });
  theirs.exec("BEGIN IMMEDIATE");
  for (const refused of [
    log.append(context, "ses_1", claim?.fence ?? "", [event("a")]),
    log.append(context, "ses_1", claim?.fence ?? "", [event("a"), event("b")], { status: "running" }),
    log.deposit(context, "ses_1", event("input.message")),
  ]) {
    await expect(refused).rejects.toMatchObject({ code: "RUNTIME_BACKEND_FAILED", retryable: true });
  }
  theirs.exec("ROLLBACK");
  expect(await log.read(context, "ses_1")).toEqual([]);
  expect(await log.append(context, "ses_1", claim?.fence ?? "", [event("a")])).toHaveLength(1);
  for (const database of [ours, theirs]) database.close();
});

test("no search reads through the sessions of all tenants", async () => {
  const database = open();
  new SqliteSessionLog({ database });
  const plan = (source: string) =>
    (database.prepare(`EXPLAIN QUERY PLAN SELECT * FROM runtime_session WHERE ${source}`).all() as { detail: string }[])
      .map(({ detail }) => detail)
      .join("; ");
  const searches = {
    "tenant = 't' AND id < 'x' ORDER BY id DESC": /runtime_session_tenant \(tenant=\? AND id<\?\)/,
    "tenant = 't' AND status = 'running' AND status NOT IN ('idle', 'ended') ORDER BY id DESC": /runtime_session_live/,
    "tenant = 't' AND parent = 'p' ORDER BY id DESC": /runtime_session_parent/,
    "tenant = 't' AND agent = 'a' AND external_id = 'x'": /runtime_session_external/,
    "wake_at <= 5 ORDER BY wake_at LIMIT 9": /runtime_session_wake/,
  };
  for (const [source, index] of Object.entries(searches)) expect(plan(source), source).toMatch(index);
  database.close();
});
