import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import type { HostedLimits, HostedProcess } from "../session-host.ts";
import { ManualClock } from "../testing/index.ts";
import { ProcessHost } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const shell = (script: string) => ["/bin/sh", "-c", script];
const environment = { PATH: "/usr/bin:/bin" };

/** Nobody looks at its trees: what holds here, the kernel holds. */
const unwatched = new ProcessHost({ clock: new ManualClock() });
const host = new ProcessHost();

const run = async (at: ProcessHost, script: string, limits?: HostedLimits): Promise<HostedProcess> =>
  at.start(context, { command: shell(script), environment, ...(limits === undefined ? {} : { limits }) });

/** Ends by itself, with its output: it is told that it may. */
async function output(child: HostedProcess): Promise<string> {
  const text = await new Response(child.stdout).text();
  await child.exit;
  return text.trim();
}

/** Never let go: only a limit ends it. */
const reasonOf = async (child: HostedProcess) => (await child.exit).reason;

/** `tail` keeps the last line, which is all that it gets. */
const line = (mebibytes: number) => `head -c ${mebibytes}M /dev/zero | tail -n 1 | wc -c`;
/** The same, kept until the input of the whole ends. */
const kept = (mebibytes: number) => `{ head -c ${mebibytes}M /dev/zero; read go <&3; } | tail -n 1 &`;
const endless = "echo $$; while true; do true; done";
const burn = (rounds: number) => `i=0; while [ $i -lt ${rounds} ]; do i=$((i+1)); done; echo burnt`;

hostile("a process that takes all memory", {
  control: "with a wider limit the same program keeps 32 MiB",
  backend: "process",
  async unguarded() {
    expect(await output(await run(unwatched, line(32), { memoryMiB: 256 }))).toBe(String(32 * 2 ** 20));
  },
  async guarded() {
    expect(await output(await run(unwatched, line(32), { memoryMiB: 16 }))).not.toBe(String(32 * 2 ** 20));
  },
});

hostile("processes that take all memory together, none of them much", {
  control: "what the kernel allows each process, the three have three times",
  backend: "process",
  async unguarded() {
    const three = `{ ${line(12)}; } & { ${line(12)}; } & { ${line(12)}; } & wait`;
    expect(await output(await run(unwatched, three, { memoryMiB: 24 }))).toBe(
      Array(3)
        .fill(String(12 * 2 ** 20))
        .join("\n"),
    );
  },
  async guarded() {
    const three = `exec 3<&0; for each in 1 2 3; do ${kept(12)} done; wait`;
    expect(await reasonOf(await run(host, three, { memoryMiB: 24 }))).toBe("took more than 24 MiB of memory");
  },
});

hostile("a process that computes without end", {
  control: "without the limit the same program goes on past its second",
  backend: "process",
  async unguarded() {
    const child = await run(unwatched, endless);
    const { value } = await child.stdout.getReader().read();
    const used = () => Number(readFileSync(`/proc/${Number(Buffer.from(value ?? []))}/stat`, "utf8").split(" ")[13]);
    await expect.poll(used, { timeout: 60_000 }).toBeGreaterThan(110);
    await child.kill();
  },
  async guarded() {
    const child = await run(unwatched, endless, { cpuSeconds: 1 });
    expect(await child.exit).toEqual({ signal: "SIGXCPU" });
  },
});

hostile("processes that compute without end, none of them for long", {
  control: "what the kernel allows each process, one after the other has again",
  backend: "process",
  async unguarded() {
    const turns = `for each in 1 2 3; do ( ${burn(200_000)} ); done`;
    expect(await output(await run(unwatched, turns, { cpuSeconds: 0.1 }))).toBe("burnt\nburnt\nburnt");
  },
  async guarded() {
    const child = await run(host, `while true; do ( ${burn(200_000)} ) > /dev/null; done`, { cpuSeconds: 0.5 });
    expect(await reasonOf(child)).toBe("took more than 0.5 s of processor time");
  },
});

hostile("a child that forks more and more", {
  control: "with a wider limit it has its 40 processes",
  backend: "process",
  async unguarded() {
    const child = await run(host, `${fork} echo forked; kill $(jobs -p)`, { processes: 100 });
    expect(await output(child)).toBe("forked");
  },
  async guarded() {
    expect(await reasonOf(await run(host, `${fork} wait`, { processes: 20 }))).toBe("had more than 20 processes");
  },
});
const fork = "i=0; while [ $i -lt 40 ]; do sleep 600 & i=$((i+1)); done;";

hostile("a child that stays for ever", {
  control: "without the limit it is still there when the time is over",
  backend: "process",
  async unguarded() {
    const { child, ended } = await stays({});
    expect(ended()).toBe(false);
    await child.kill();
  },
  async guarded() {
    const { child } = await stays({ lifetimeMs: 5_000 });
    expect(await child.exit).toEqual({ signal: "SIGKILL", reason: "lived longer than 5000 ms" });
  },
});

async function stays(limits: HostedLimits) {
  const clock = new ManualClock();
  const child = await run(new ProcessHost({ clock }), "echo up; read go", limits);
  await child.stdout.getReader().read();
  let over = false;
  void child.exit.then(() => {
    over = true;
  });
  await clock.advance(4_999);
  expect(over).toBe(false);
  await clock.advance(1);
  return { child, ended: () => over };
}

test("a host says how it holds each limit that it was asked for, and refuses by name what it cannot hold", async () => {
  const clock = new ManualClock();
  const limits = { memoryMiB: 64, cpuSeconds: 9, processes: 9, lifetimeMs: 9_000 };
  const child = await run(new ProcessHost({ clock }), "read go", limits);
  expect(child.held).toEqual({
    ...{ memoryMiB: "degraded", cpuSeconds: "degraded", processes: "degraded" },
    lifetimeMs: "enforced",
  });
  await child.kill();
  expect([await child.exit, clock.sleeping]).toEqual([{ signal: "SIGKILL" }, 0]);
  for (const limits of [{ cpus: 1 }, { diskMiB: 10 }]) {
    await expect(run(host, "true", limits)).rejects.toMatchObject({
      code: "RUNTIME_INVALID",
      message: expect.stringContaining(Object.keys(limits)[0] ?? ""),
    });
  }
});
