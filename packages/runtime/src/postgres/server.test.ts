import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type PrivatePostgres, startPostgres } from "../../../../test/support/postgres.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { EVENT_SCHEMA_VERSION } from "../session-event.ts";
import { checkPostgres, PostgresBlobStore, PostgresLiveBus, PostgresSessionLog, PostgresWorkQueue } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const event = { id: "evt_1", type: "a", at: 1, schemaVersion: EVENT_SCHEMA_VERSION };
const given = { id: "ses_1", agent: "a", agentVersion: "1", status: "idle", metadata: {}, state: {}, at: 1 } as const;
const told = (server: { version?: number; standby?: boolean; settings?: Record<string, string> }) =>
  checkPostgres({
    query: async () => ({ rows: [{ version: 15, standby: false, settings: {}, ...server }], rowCount: 1 }),
  } as never);

test.each([
  [{ version: 13 }, /is version 13. Sessions need 14 or later/],
  [{ standby: true }, /read-only standby. Connect to the primary/],
])("a server on which sessions cannot live is refused with what to change: %j", async (server, message) => {
  await expect(told(server)).rejects.toMatchObject({
    code: "RUNTIME_INVALID",
    message: expect.stringMatching(message),
  });
});

test("a server that forgets what it has acknowledged is warned of, once", async () => {
  const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  try {
    await told({ settings: { synchronous_commit: "off", fsync: "on" } });
    await told({ settings: { synchronous_commit: "off" } });
    expect(warnings).toHaveBeenCalledTimes(1);
    expect(warnings.mock.calls[0]?.[0]).toMatch(/synchronous_commit = off: acknowledged events .* Set it to on/);
  } finally {
    warnings.mockRestore();
  }
});

describeWith([parts.postgres], "a postgres server", () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test("stores that start at once make their tables once; tables of a later release are refused", async () => {
    const pools = [await server.pool("shared"), await server.pool("shared")];
    try {
      const logs = pools.map((pool) => new PostgresSessionLog({ pool }));
      await Promise.all(
        logs.map((log, index) => log.create(context, { ...given, id: `ses_${index}`, events: [event] })),
      );
      await Promise.all(pools.map((pool) => new PostgresWorkQueue({ pool }).lanes()));
      await pools[0]?.query("UPDATE ashlar_schema SET version = 99 WHERE store = 'runtime_session_log'");
      const late = new PostgresSessionLog({ pool: pools[0] as never });
      await expect(late.owners()).rejects.toMatchObject({
        code: "RUNTIME_INVALID",
        message: expect.stringMatching(/schema version 99; this release knows versions up to \d+/),
      });
    } finally {
      await Promise.all(pools.map((pool) => pool.end()));
    }
  });

  test("a server that dies is an error without anyone's words, and everything goes on when it is back", async () => {
    const pool = await server.pool("dying");
    try {
      const log = new PostgresSessionLog({ pool });
      const bus = new PostgresLiveBus({ pool });
      const queue = new PostgresWorkQueue({ pool });
      await log.create(context, { ...given, events: [event] });
      const { promise: heard, resolve } = Promise.withResolvers<void>();
      await bus.subscribe(context, "ses_1", () => resolve());
      server.process.kill("SIGKILL");
      const failure = await log.deposit(context, "ses_1", { ...event, body: "planted words" }).catch((error) => error);
      expect(failure).toMatchObject({ code: "RUNTIME_BACKEND_FAILED", retryable: true });
      const { inspect } = await import("node:util");
      expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain("planted words");
      await bus.publish(context, "ses_1", { type: "control" });
      await server.restart();
      expect((await log.read(context, "ses_1")).length).toBe(1);
      await queue.put([]);
      const calling = setInterval(() => void bus.publish(context, "ses_1", { type: "control" }), 50);
      await heard;
      clearInterval(calling);
      await bus.close();
    } finally {
      await pool.end();
    }
  });

  test("what PostgreSQL cannot hold is refused, and nothing is written", async () => {
    const pool = await server.pool("odd");
    try {
      const log = new PostgresSessionLog({ pool });
      const odd = { ...given, metadata: { note: "a\0b" }, events: [event] };
      await expect(log.create(context, odd)).rejects.toMatchObject({ code: "RUNTIME_INVALID" });
      expect((await log.find(context, {})).items).toEqual([]);
    } finally {
      await pool.end();
    }
  });

  test("a body that is being read stays whole when it is replaced, and large messages arrive whole", async () => {
    const pool = await server.pool("large");
    try {
      const store = new PostgresBlobStore({ pool });
      const old = "x".repeat(3_000_000);
      await store.put(context, "k", new Blob([old]).stream(), "text/plain");
      const reading = await store.get(context, "k");
      await store.put(context, "k", new Blob(["new"]).stream(), "text/plain");
      expect(await new Response(reading).text()).toBe(old);
      const bus = new PostgresLiveBus({ pool });
      const { promise, resolve } = Promise.withResolvers<unknown>();
      await bus.subscribe(context, "ses_1", resolve);
      const delta = { type: "delta", turn: 1, step: "1/model", body: { text: "naïve 🧱".repeat(5_000) } } as const;
      await bus.publish(context, "ses_1", delta);
      expect(await promise).toEqual(delta);
      await bus.close();
    } finally {
      await pool.end();
    }
  });
});
