import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { HostedProcess, SessionHost } from "@ashlar/runtime";
import { WarmPool } from "@ashlar/runtime/host";
import { SandboxSessionHost } from "@ashlar/tools";
import { BubblewrapBackend } from "@ashlar/tools/bubblewrap";

const context = { principal: { tenant: "bench" } };
const BWRAP = "/usr/bin/bwrap";
const confined = [
  ...["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--ro-bind", "/", "/"],
  ...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
];
const echo = ["-e", "process.stdin.pipe(process.stdout)"];
/** The backend shows its Node inside and puts it on the path. */
const program = { command: ["node", ...echo] };

export const sandboxPresent = (): boolean => existsSync(BWRAP);

/** What users get: bubblewrap of tools, with its limits, its filter and its guest, as the host of sessions. */
export async function withSandboxes<T>(body: (host: SessionHost) => Promise<T>): Promise<T> {
  const backend = new BubblewrapBackend({ node: process.execPath });
  try {
    return await body(new SandboxSessionHost({ backend }));
  } finally {
    await backend.close();
  }
}

async function answer(child: HostedProcess): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(Buffer.from("go"));
  await child.stdout.getReader().read();
}

/** A burst that empties the pool: milliseconds from asking for a session to the first byte of its child. */
export async function burst(host: SessionHost, poolSize: number): Promise<readonly number[]> {
  await using pool = new WarmPool({ host, program, size: poolSize, context });
  await pool.warm();
  await new Promise((resolve) => setTimeout(resolve, 100 * poolSize));
  const samples: number[] = [];
  const children: HostedProcess[] = [];
  pool.rest();
  for (let index = 0; index < poolSize; index++) {
    const start = performance.now();
    const child = await pool.start(context, program);
    await answer(child);
    samples.push(performance.now() - start);
    children.push(child);
  }
  await Promise.all(children.map((child) => child.kill()));
  return samples;
}

/** New sessions per second through the pool, each with its first byte and its end, over `seconds`. */
export async function sustained(host: SessionHost, poolSize: number, seconds: number): Promise<number> {
  await using pool = new WarmPool({ host, program, size: poolSize, context });
  await pool.warm();
  return rate(seconds, 2, async () => {
    const child = await pool.start(context, program);
    await answer(child);
    await child.kill();
  });
}

/** With nothing of ours: spawn bwrap and node, first byte, kill. */
export const bareSpawn = (seconds: number): Promise<number> =>
  rate(seconds, 2, async () => {
    const child = spawn(BWRAP, [...confined, process.execPath, ...echo], {
      stdio: ["pipe", "pipe", "ignore"],
      env: {},
    });
    child.stdin.write("go");
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
  });

async function rate(seconds: number, lanes: number, body: () => Promise<void>): Promise<number> {
  const until = performance.now() + seconds * 1000;
  let count = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() < until) {
        await body();
        count += 1;
      }
    }),
  );
  return (count / (performance.now() - start)) * 1000;
}
