import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

export interface PrivateRedis {
  /** Unix socket, for `new Redis(path)`. */
  readonly path: string;
  /** The server's process, to pause or kill it. */
  readonly process: ChildProcess;
  /** Starts the server again on the same folder after a kill. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A redis-server of one's own on a unix socket; keeps nothing on disk unless `arguments` say so. */
export async function startRedis(...extra: readonly string[]): Promise<PrivateRedis> {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-redis-"));
  const path = join(folder, "redis.sock");
  const persistence = extra.length > 0 ? [] : ["--save", "", "--appendonly", "no"];
  let server = await launch();

  async function launch(): Promise<ChildProcess> {
    await rm(path, { force: true });
    const child = spawn(
      "redis-server",
      ["--port", "0", "--unixsocket", path, "--dir", folder, ...persistence, ...extra],
      {
        stdio: "ignore",
      },
    );
    const failed = once(child, "exit").then(() => {
      throw new Error("redis-server ended before it listened.");
    });
    failed.catch(() => {});
    await Promise.race([answering(path), failed]);
    return child;
  }

  return {
    path,
    get process() {
      return server;
    },
    async restart() {
      await ended(server);
      server = await launch();
    },
    async stop() {
      await ended(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answering(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
  const probe = new Redis(path, { maxRetriesPerRequest: null });
  try {
    await probe.ping();
  } finally {
    probe.disconnect();
  }
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, "exit");
  server.kill("SIGKILL");
  await exit;
}
