import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Pool, type PoolConfig } from "pg";

export interface PrivatePostgres {
  /** Folder of the unix socket: `host` for pg. */
  readonly host: string;
  readonly user: string;
  /** The server's process, to kill it. */
  readonly process: ChildProcess;
  /** A pool on a schema of its own, empty when the name is new. */
  pool(schema: string, config?: PoolConfig): Promise<Pool>;
  /** Ends the server at once, without a checkpoint, and starts it again on the same folder. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const USER = "postgres";
const isRoot = process.getuid?.() === 0;

/** The newest that is installed. */
function binaries(): string {
  const versions = readdirSync("/usr/lib/postgresql").map(Number);
  return `/usr/lib/postgresql/${Math.max(...versions)}/bin`;
}

/** PostgreSQL refuses to run as root, so root hands it to the user that its package made. */
const asUser = (command: readonly string[]): readonly [string, readonly string[]] =>
  isRoot
    ? ["setpriv", ["--reuid", USER, "--regid", USER, "--clear-groups", ...command]]
    : [command[0] ?? "", command.slice(1)];

/** A PostgreSQL of one's own on a unix socket; without `fsync` unless `settings` say otherwise. */
export async function startPostgres(...settings: readonly string[]): Promise<PrivatePostgres> {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-postgres-"));
  if (isRoot) {
    const id = (flag: string) => Number(execFileSync("id", [flag, USER], { encoding: "utf8" }));
    chownSync(folder, id("-u"), id("-g"));
  }
  chmodSync(folder, 0o700);
  const data = join(folder, "data");
  const options = ["-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
  const [initdb, initdbArguments] = asUser([join(binaries(), "initdb"), ...options]);
  execFileSync(initdb, initdbArguments, { stdio: "ignore", cwd: folder });
  let server = await launch();

  async function launch(): Promise<ChildProcess> {
    const given = ["fsync=off", "listen_addresses=", `unix_socket_directories=${folder}`, ...settings];
    const flags = given.flatMap((setting) => ["-c", setting]);
    const [command, args] = asUser([join(binaries(), "postgres"), "-D", data, ...flags]);
    const child = spawn(command, args, { stdio: "ignore", cwd: folder });
    const failed = once(child, "exit").then(() => {
      throw new Error("postgres ended before it listened.");
    });
    failed.catch(() => {});
    await Promise.race([answering(folder), failed]);
    return child;
  }

  return {
    host: folder,
    user: USER,
    get process() {
      return server;
    },
    async pool(schema, config = {}) {
      const pool = new Pool({ host: folder, user: USER, options: `-c search_path=${schema}`, ...config });
      pool.on("error", () => {});
      await pool.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      return pool;
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

/** Also waits for the recovery after a kill. */
async function answering(host: string): Promise<void> {
  for (;;) {
    const client = new Client({ host, user: USER });
    client.on("error", () => {});
    try {
      await client.connect();
      return await client.end();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** SIGQUIT ends it as a crash would, but with all its processes: their memory must be free before it starts again. */
async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, "exit");
  server.kill("SIGQUIT");
  await exit;
}
