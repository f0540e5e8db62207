import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { sessionHostConformance } from "../testing/index.ts";
import { InProcessHost, ProcessHost, WarmPool } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const node = process.execPath;
const text = (stream: ReadableStream<Uint8Array>) => new Response(stream).text();
const host = new ProcessHost();
const folder = () => mkdtemp(join(tmpdir(), "ashlar-host-"));
const alive = (pid: number) => {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

sessionHostConformance({
  test,
  createHost: () => host,
  echo: [node, "-e", "process.stdin.pipe(process.stdout)"],
  fail: [node, "-e", "console.error('the reason'); process.exit(7)"],
  hang: [node, "-e", "setInterval(() => {}, 1000)"],
});
sessionHostConformance({
  test,
  createHost: () => new WarmPool({ host, program: { command: [node] }, size: 0, context }),
  echo: [node, "-e", "process.stdin.pipe(process.stdout)"],
  fail: [node, "-e", "console.error('the reason'); process.exit(7)"],
  hang: [node, "-e", "setInterval(() => {}, 1000)"],
});
sessionHostConformance({
  test,
  createHost: () =>
    new InProcessHost({
      programs: {
        echo: async ({ stdin, stdout }) => stdin.pipeTo(stdout).then(() => 0),
        fail: async ({ stderr }) => {
          const writer = stderr.getWriter();
          await writer.write(Buffer.from("the reason"));
          await writer.close();
          return 7;
        },
        hang: () => new Promise(() => {}),
      },
    }),
  echo: ["echo"],
  fail: ["fail"],
  hang: ["hang"],
});

hostile("a command that prints its environment", {
  control: "a child that inherits the environment prints the planted secret",
  backend: "process",
  async unguarded() {
    const child = spawn("/usr/bin/env", { env: { ...process.env, PLANTED: "sk-planted" } });
    expect(await text(ReadableStream.from(child.stdout) as ReadableStream<Uint8Array>)).toContain("sk-planted");
  },
  async guarded() {
    process.env.ASHLAR_TEST_PLANTED = "sk-planted";
    const child = await host.start(context, { command: ["/usr/bin/env"], environment: { TOLD: "yes" } });
    const printed = await text(child.stdout);
    delete process.env.ASHLAR_TEST_PLANTED;
    expect(printed).not.toContain("sk-planted");
    expect(
      printed
        .trim()
        .split("\n")
        .map((line) => line.split("=")[0])
        .sort(),
    ).toEqual(["ASHLAR_HOSTED", "TOLD"]);
  },
});

const daemon = (file: string) =>
  `require("node:child_process").spawn(process.execPath, ["-e", "require('node:fs').writeFileSync(process.argv[1], String(process.pid)); setInterval(() => {}, 1000)", ${JSON.stringify(file)}], { detached: true, stdio: "ignore" }).unref(); setInterval(() => {}, 1000)`;
const pidIn = async (file: string): Promise<number> => {
  for (;;) {
    const content = await readFile(file, "utf8").catch(() => "");
    if (content !== "") return Number(content);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

hostile("a child that forks a daemon out of its group", {
  control: "killing the child's process group leaves the daemon running",
  backend: "process",
  async unguarded() {
    const file = join(await folder(), "pid");
    const child = spawn(node, ["-e", daemon(file)], { detached: true, stdio: "ignore" });
    const pid = await pidIn(file);
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await once(child, "exit");
    expect(alive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
  },
  async guarded() {
    const file = join(await folder(), "pid");
    const child = await host.start(context, { command: [node, "-e", daemon(file)] });
    const pid = await pidIn(file);
    await child.kill();
    await expect.poll(() => alive(pid), { timeout: 10_000 }).toBe(false);
  },
});

const modules = JSON.stringify(new URL("./index.ts", import.meta.url).href);

hostile("a child that outlives its killed runtime", {
  control: "a child that is only spawned goes on when its parent is killed",
  backend: "process",
  async unguarded() {
    const file = join(await folder(), "pid");
    const parent = spawn(node, ["-e", daemon(file)], { detached: true, stdio: "ignore" });
    const pid = await pidIn(file);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    expect(alive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
  },
  async guarded() {
    const file = join(await folder(), "pid");
    const runtime = `
      import { ProcessHost } from ${modules};
      const command = [process.execPath, "-e", ${JSON.stringify(daemon(file))}];
      await new ProcessHost().start({ principal: { tenant: "acme" } }, { command });
      setInterval(() => {}, 1_000);`;
    const flags = [
      "--conditions=@ashlar/source",
      "--disable-warning=ExperimentalWarning",
      "--input-type=module-typescript",
    ];
    const parent = spawn(node, [...flags, "-e", runtime], { stdio: "ignore" });
    const daemonPid = await pidIn(file);
    const childPid = Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${daemonPid}/stat`, "utf8"))?.[1]);
    parent.kill("SIGKILL");
    await expect.poll(() => alive(childPid), { timeout: 10_000 }).toBe(false);
    expect(await host.reap()).toBeGreaterThanOrEqual(1);
    await expect.poll(() => alive(daemonPid), { timeout: 10_000 }).toBe(false);
  },
});

test("a pool hands out each child once and passes over one that died waiting", async () => {
  const program = { command: [node, "-e", "process.stdin.pipe(process.stdout)"] };
  const started: { kill(): Promise<void> }[] = [];
  const counting = {
    grade: host.grade,
    start: async (...args: Parameters<ProcessHost["start"]>) => {
      const child = await host.start(...args);
      started.push(child);
      return child;
    },
  };
  await using pool = new WarmPool({ host: counting, program, size: 3, context });
  await pool.warm();
  expect(started).toHaveLength(3);
  await started[0]?.kill();
  const first = await pool.start(context, program);
  const second = await pool.start(context, program);
  expect(started.indexOf(first)).toBe(1);
  expect(started.indexOf(second)).toBe(2);
  await Promise.all([first.kill(), second.kill()]);
});
