import { EVENT_SCHEMA_VERSION, type NewEvent, systemIds } from "@ashlar/runtime";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { openEngine, type Place } from "../campaigns/crash/engine.ts";

const IN_FLIGHT = 64;
const context = { principal: { tenant: "bench" } };

const event = (index: number): NewEvent => ({
  id: systemIds.next("evt"),
  type: "step.completed",
  at: 1_760_000_000_000 + index,
  turn: 1,
  step: `step-${index}`,
  attempt: 1,
  idempotencyKey: `1:step-${index}:completed`,
  schemaVersion: EVENT_SCHEMA_VERSION,
  body: { output: { ticket: "T-9421", amount: 4999, note: "duplicate charge found on the second statement" } },
});

/** Fenced appends per second over 64 sessions, one in flight for each. */
export async function appendRate(place: Place, appends: number): Promise<number> {
  const { log, close } = openEngine(place);
  const sessions = await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      const id = systemIds.next("ses");
      const given = { agent: "a", agentVersion: "1", status: "running", metadata: {}, state: {}, at: 1 } as const;
      await log.create(context, { ...given, id, events: [] });
      return { id, fence: (await log.claim(context, id, { owner: "bench" }))?.fence ?? "" };
    }),
  );
  const elapsed = await timed(appends, (index) => {
    const { id, fence } = sessions[index % IN_FLIGHT] ?? { id: "", fence: "" };
    return log.append(context, id, fence, [event(index)]);
  });
  for (const { id, fence } of sessions) await log.release(context, id, fence, { seen: Number.MAX_SAFE_INTEGER });
  await close();
  return (appends / elapsed) * 1000;
}

/** The least that refuses a stale writer and keeps an event: one comparison, one write. */
export async function bareAppendRate(place: Place, appends: number): Promise<number> {
  if (place.profile === "redis") {
    const client = new Redis(place.at);
    client.defineCommand("bare", {
      numberOfKeys: 2,
      lua: "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('XADD', KEYS[2], '*', 'e', ARGV[2])",
    });
    for (let at = 0; at < IN_FLIGHT; at++) await client.set(`bare:{${at}}:fence`, "1:x");
    const bare = client as unknown as { bare(...args: string[]): Promise<unknown> };
    const elapsed = await timed(appends, (index) => {
      const tag = `bare:{${index % IN_FLIGHT}}`;
      return bare.bare(`${tag}:fence`, `${tag}:events`, "1:x", JSON.stringify(event(index)));
    });
    client.disconnect();
    return (appends / elapsed) * 1000;
  }
  if (place.profile !== "postgres") throw new Error("There is no bare append for a file here: see bench runtime.");
  const pool = new Pool({ host: place.host, user: place.user, options: "-c search_path=campaign" });
  await pool.query("CREATE TABLE IF NOT EXISTS bare_fence (session int PRIMARY KEY, fence text, head int)");
  await pool.query(
    "CREATE TABLE IF NOT EXISTS bare_event (session int, seq int, event text, PRIMARY KEY (session, seq))",
  );
  await pool.query("TRUNCATE bare_fence, bare_event");
  await pool.query("INSERT INTO bare_fence SELECT n, '1:x', 0 FROM generate_series(0, 63) AS n");
  const text = `WITH owned AS (UPDATE bare_fence SET head = head + 1 WHERE session = $1 AND fence = $2 RETURNING session, head)
    INSERT INTO bare_event SELECT session, head, $3 FROM owned`;
  const elapsed = await timed(appends, (index) =>
    pool.query({ name: "bare", text, values: [index % IN_FLIGHT, "1:x", JSON.stringify(event(index))] }),
  );
  await pool.end();
  return (appends / elapsed) * 1000;
}

/** Milliseconds for all of them, so many at a time. */
async function timed(count: number, call: (index: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  const lane = async (first: number) => {
    for (let index = first; index < count; index += IN_FLIGHT) await call(index);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, first) => lane(first)));
  return performance.now() - start;
}
