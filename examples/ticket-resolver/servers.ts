/** The private servers that the job starts where the environment names none, and what they keep. */
import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { Pool } from "pg";
import type { Place } from "./checks.ts";
import type { SessionEngine } from "./config.ts";
import { UsageError } from "./options.ts";
import { onPath, stop } from "./processes.ts";

export interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** On a unix socket below `folder`. */
export async function startRedis(folder: string): Promise<Server> {
  if (onPath("redis-server") === "redis-server") {
    throw new UsageError("redis-server is not on PATH: apt-get install redis-server, or set REDIS_URL.");
  }
  const url = `${folder}/redis.sock`;
  const child = spawn("redis-server", ["--port", "0", "--unixsocket", url, "--dir", folder, "--appendonly", "yes"]);
  for await (const line of createInterface({ input: child.stdout })) {
    if (/ready to accept connections/i.test(line)) return { url, stop: () => stop(child) };
  }
  throw new UsageError("redis-server ended before it listened.");
}

const INSTALLED = "/usr/lib/postgresql";

/** On a unix socket in a folder of its own: PostgreSQL refuses to run as root, who hands it to its package's user. */
export async function startPostgres(): Promise<Server> {
  if (!existsSync(INSTALLED)) {
    throw new UsageError("PostgreSQL is not installed: apt-get install postgresql, or set POSTGRES_URL.");
  }
  const programs = join(INSTALLED, String(Math.max(...readdirSync(INSTALLED).map(Number))), "bin");
  const folder = await mkdtemp(join(tmpdir(), "ashlar-postgres-"));
  const isRoot = process.getuid?.() === 0;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  const user = isRoot ? { uid: id("-u"), gid: id("-g") } : {};
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const options = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
  execFileSync(join(programs, "initdb"), options, { ...user, cwd: folder, stdio: "ignore" });
  const settings = ["-c", "listen_addresses=", "-c", `unix_socket_directories=${folder}`];
  const child = spawn(join(programs, "postgres"), ["-D", data, ...settings], { ...user, cwd: folder });
  for await (const line of createInterface({ input: child.stderr })) {
    if (!line.includes("ready to accept connections")) continue;
    child.stderr.resume();
    return {
      url: `postgresql://postgres@/postgres?host=${encodeURIComponent(folder)}`,
      async stop() {
        child.kill("SIGINT");
        await stop(child);
        await rm(folder, { recursive: true, force: true });
      },
    };
  }
  throw new UsageError("postgres ended before it listened.");
}

/** What the engine's server holds of the sessions, read past the runtime; a file is looked at with the others. */
export async function storedBy(engine: SessionEngine): Promise<Place> {
  if (engine.kind === "sqlite") return ["", new Uint8Array()];
  const rows = engine.kind === "redis" ? await redisRows(engine.url) : await postgresRows(engine.url);
  return ["sessions", Buffer.from(JSON.stringify(rows))];
}

async function redisRows(url: string): Promise<unknown[]> {
  const client = new Redis(url);
  try {
    const keys = await client.keys("*");
    const held = async (key: string): Promise<unknown> => {
      const type = await client.type(key);
      if (type === "hash") return client.hgetall(key);
      return type === "stream" ? client.xrange(key, "-", "+") : key;
    };
    return await Promise.all(keys.map(held));
  } finally {
    client.disconnect();
  }
}

async function postgresRows(url: string): Promise<unknown[]> {
  const pool = new Pool({ connectionString: url });
  try {
    const events = await pool.query("SELECT * FROM runtime_event");
    const sessions = await pool.query("SELECT * FROM runtime_session");
    return [...events.rows, ...sessions.rows];
  } finally {
    await pool.end();
  }
}
