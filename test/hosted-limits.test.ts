import type { SessionHost } from "@ashlar/runtime";
import { SandboxSessionHost } from "@ashlar/tools";
import { BubblewrapBackend } from "@ashlar/tools/bubblewrap";
import { afterAll, expect } from "vitest";
import { hostile } from "./support/hostile.ts";
import { describeWith, parts } from "./support/system-part.ts";

/** What a session asks of its host holds where the composition root joins a sandbox of tools. */
type Limits = NonNullable<Parameters<SessionHost["start"]>[1]["limits"]>;

const programs = {
  memory: "held = bytearray(256 << 20); held[:: 4096] = b'x' * len(held[:: 4096]); print('held')",
  processes:
    "import os, signal, time\nborn = []\ntry:\n  for _ in range(40):\n    child = os.fork()\n    if child == 0: time.sleep(30)\n" +
    "    born.append(child)\n  print('forked')\nfinally:\n  for each in born: os.kill(each, signal.SIGKILL)",
  disk: "open('fill', 'wb').write(b'x' * (48 << 20)); print('filled')",
} as const;

describeWith([parts.bubblewrap, parts.python], "limits of a joined sandbox", () => {
  const backend = new BubblewrapBackend();
  const host: SessionHost = new SandboxSessionHost({ backend });
  afterAll(() => backend.close());

  async function run(program: string, limits: Limits): Promise<string> {
    const context = { principal: { tenant: "acme", session: "ses_1" } };
    const child = await host.start(context, { command: ["/usr/bin/python3", "-I", "-c", program], limits });
    const [output] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exit,
    ]);
    return output.trim();
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
});
