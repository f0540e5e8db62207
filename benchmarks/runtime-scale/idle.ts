import { Runtime } from "@ashlar/runtime";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { openEngine, type Place } from "../campaigns/crash/engine.ts";
import { type Spread, spread } from "../support/measure.ts";

const WAKES = 300;
const context = { principal: { tenant: "bench" } };

/** Idle sessions on the server: bytes of each, and how long one takes from the message to the start of its turn. */
export async function idle(place: Place, sessions: number): Promise<{ bytesPerSession: number; wake: Spread }> {
  const { close, ...engine } = openEngine(place);
  const runtime = new Runtime({ ...engine, agents: [{ name: "sleeper", run: async () => ({ awake: true }) }] });
  const before = await size(place);
  const ids: string[] = [];
  for (let at = 0; at < sessions; at += 100) {
    const opened = Array.from({ length: 100 }, () => runtime.sessions.open(context, { agent: "sleeper" }));
    ids.push(...(await Promise.all(opened)).map(({ id }) => id));
    if (at % 5_000 === 0) process.stderr.write(`\r  ${at} of ${sessions} opened `);
  }
  process.stderr.write("\n");
  const bytesPerSession = ((await size(place)) - before) / sessions;
  await runtime.start();
  const samples: number[] = [];
  for (let wake = 0; wake < WAKES; wake++) {
    const id = ids[(wake * 7919) % ids.length] ?? "";
    const start = performance.now();
    const { seq } = await runtime.sessions.send(context, id, { type: "user.message", body: {} });
    for await (const event of runtime.sessions.events(context, id, { after: seq })) {
      if (event.type === "turn.started") break;
    }
    samples.push(performance.now() - start);
  }
  await runtime.close();
  await close();
  return { bytesPerSession, wake: spread(samples) };
}

async function size(place: Place): Promise<number> {
  if (place.profile === "redis") {
    const client = new Redis(place.at);
    const info = await client.info("memory");
    client.disconnect();
    return Number(/used_memory:(\d+)/.exec(info)?.[1]);
  }
  if (place.profile !== "postgres") return 0;
  const pool = new Pool({ host: place.host, user: place.user });
  const { rows } = await pool.query("SELECT pg_database_size(current_database()) AS size");
  await pool.end();
  return Number(rows[0].size);
}
