import { readdirSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import type { HostedProcess, SessionHost } from "@ashlar/runtime";
import { ManualClock } from "@ashlar/runtime/testing";
import { SandboxSessionHost } from "@ashlar/tools";
import { BubblewrapBackend } from "@ashlar/tools/bubblewrap";
import { afterAll, expect, test } from "vitest";
import { hostile } from "./support/hostile.ts";
import { describeWith, parts } from "./support/system-part.ts";

/** What a session asks of its host holds where the composition root joins a sandbox of tools. */
type Limits = NonNullable<Parameters<SessionHost["start"]>[1]["limits"]>;

const programs = {
  memory: "held = bytearray(256 << 20); held[:: 4096] = b'x' * len(held[:: 4096]); print('held')",
  processes:
    "import os, signal, time\nborn = []\ntry:\n  for _ in range(40):\n    child = os.fork()\n    if child == 0: time.sleep(30)\n" +
    "    born.append(child)\n  print('forked')\nfinally:\n  for each in born: os.kill(each, signal.SIGKILL)",
  waits: "print('up', flush=True); input(); print('on')",
  burns: "print('up', flush=True)\nwhile True: pass",
  disk: "open('fill', 'wb').write(b'x' * (48 << 20)); print('filled')",
} as const;

describeWith([parts.bubblewrap, parts.python], "limits of a joined sandbox", () => {
  const clock = new ManualClock();
  const backend = new BubblewrapBackend({ clock });
  const host: SessionHost = new SandboxSessionHost({ backend });
  afterAll(() => backend.close());

  const start = (program: string, limits: Limits): Promise<HostedProcess> =>
    host.start(
      { principal: { tenant: "acme", session: "ses_1" } },
      { command: ["/usr/bin/python3", "-I", "-c", program], limits },
    );

  async function rest(child: HostedProcess): Promise<string> {
    const [output] = await Promise.all([text(child.stdout), text(child.stderr), child.exit]);
    return output.trim();
  }

  const run = async (program: string, limits: Limits) => rest(await start(program, limits));

  /** One that has said that it is up; what it says later is still to be read. */
  async function up(program: string, limits: Limits): Promise<HostedProcess> {
    const child = await start(program, limits);
    const reader = child.stdout.getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("up\n");
    reader.releaseLock();
    return child;
  }

  const cases = [
    [
      "a program that takes more memory than its session may",
      programs.memory,
      "held",
      { memoryMiB: 512 },
      { memoryMiB: 96 },
    ],
    [
      "a program that forks more than its session may",
      programs.processes,
      "forked",
      { processes: 100 },
      { processes: 20 },
    ],
    ["a program that fills more disk than its session may", programs.disk, "filled", { diskMiB: 96 }, { diskMiB: 16 }],
  ] as const;

  for (const [name, program, done, wide, narrow] of cases) {
    hostile(name, {
      backend: "bubblewrap",
      control: "with a wider limit it ends well",
      unguarded: async () => expect(await run(program, wide)).toBe(done),
      guarded: async () => expect(await run(program, narrow)).toBe(""),
    });
  }

  hostile("a program that computes on more of the processors than its session may", {
    backend: "bubblewrap",
    control: "with a limit beyond the machine it computes a while and is never held back",
    unguarded: async () => {
      const child = await up(programs.burns, { cpus: 1_000 });
      await expect.poll(() => processor().ticks, { timeout: 30_000 }).toBeGreaterThan(50);
      expect(processor().heldBack).toBe(0);
      await child.kill();
    },
    guarded: async () => {
      const child = await up(programs.burns, { cpus: 0.2 });
      await expect.poll(() => processor().heldBack, { timeout: 30_000 }).toBeGreaterThan(3);
      await child.kill();
    },
  });

  hostile("a program that stays longer than its session may", {
    backend: "bubblewrap",
    control: "without the limit it goes on after the same time",
    unguarded: async () => {
      const child = await up(programs.waits, {});
      await clock.advance(60_000);
      await child.stdin.getWriter().write(Buffer.from("go\n"));
      expect(await rest(child)).toBe("on");
    },
    guarded: async () => {
      const child = await up(programs.waits, { lifetimeMs: 60_000 });
      await clock.advance(60_000);
      expect(await rest(child)).toBe("");
      expect(await child.exit).toEqual({ reason: expect.stringContaining("lived longer than 60000 ms") });
    },
  });

  test("a sandbox says how each limit is held, and one that it cannot hold is refused", async () => {
    const report = await backend.probe();
    const { memory, wallTime } = report.ok ? report.capabilities.limits : expect.fail(report.reason);
    const child = await start(programs.waits, { memoryMiB: 256, lifetimeMs: 60_000 });
    expect(child.held).toEqual({ memoryMiB: memory, lifetimeMs: wallTime });
    await child.kill();
    await expect(start(programs.waits, { cpuSeconds: 1 })).rejects.toMatchObject({ code: "TOOLS_UNSUPPORTED" });
    const without = new BubblewrapBackend({ cgroups: "/nowhere" });
    const weaker: SessionHost = new SandboxSessionHost({ backend: without });
    const refused = weaker.start({ principal: { tenant: "acme" } }, { command: ["/bin/true"], limits: { cpus: 1 } });
    await expect(refused).rejects.toMatchObject({
      code: "TOOLS_UNSUPPORTED",
      message: expect.stringContaining("cpus"),
    });
    await without.close();
  });
});

/** What the kernel has counted for the program that burns: its time, and how often its group's share was used up. */
function processor(): { readonly ticks: number; readonly heldBack: number } {
  const pid = readdirSync("/proc").find((each) => {
    return (
      /^\d+$/.test(each) &&
      quietly(`/proc/${each}/cmdline`).startsWith("/usr/bin/python3\0-I\0-c\0print('up', flush=True)\nwhile")
    );
  });
  const [, controllers = "", path = ""] =
    /^\d+:((?:\w+,)*cpu(?:,\w+)*|):(\/.*)$/m.exec(quietly(`/proc/${pid}/cgroup`)) ?? [];
  const statistics = quietly(`/sys/fs/cgroup/${controllers.includes("cpu") ? "cpu" : ""}${path}/cpu.stat`);
  return {
    ticks: Number(quietly(`/proc/${pid}/stat`).split(" ")[13] ?? 0),
    heldBack: Number(/^nr_throttled (\d+)/m.exec(statistics)?.[1] ?? 0),
  };
}

function quietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
