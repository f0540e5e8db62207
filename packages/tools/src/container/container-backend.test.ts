import { readFileSync } from "node:fs";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxBackend } from "../sandbox-backend.ts";
import { sandboxConformance } from "../testing/sandbox-conformance.ts";
import { ContainerBackend } from "./container-backend.ts";
import type { ContainerEngine } from "./container-engine.ts";
import { Podman } from "./fixtures/podman.ts";

const context = { principal: { tenant: "acme" } };

test("a dockerode client is an engine", () => {
  expectTypeOf<Docker>().toExtend<ContainerEngine>();
});

test("an engine that is not there fails closed and says what to start", async () => {
  const backend = new ContainerBackend({ engine: new Docker({ socketPath: "/nowhere.sock" }), image: "none" });
  expect(await backend.probe()).toMatchObject({ ok: false, remedy: expect.stringContaining("podman system service") });
  await expect(backend.create(context)).rejects.toMatchObject({ code: "TOOLS_ISOLATION_UNAVAILABLE" });
});

describeWith([parts.podman, parts.python], "container", () => {
  let podman: Podman;
  let backend: ContainerBackend;
  beforeAll(async () => {
    podman = await Podman.start();
    backend = new ContainerBackend({ engine: podman.engine, image: podman.image });
    await backend.probe();
  }, 60_000);
  afterAll(async () => {
    await backend?.close();
    await podman?.stop();
  });

  /** The probe takes seconds: one backend serves every case, and each case closes what it opened. */
  const probedOnce = (): SandboxBackend => ({
    ...{ name: backend.name, grade: backend.grade, close: async () => {} },
    probe: () => backend.probe(),
    create: (who, spec) => backend.create(who, spec),
  });

  describe("conformance", () => {
    sandboxConformance({ test: (name, body) => test(name, body, 60_000), createBackend: probedOnce });
  });

  test("what it cannot keep is refused, and an image that is not there is a typed error", async () => {
    await expect(backend.create(context, { network: { mode: "open" } })).rejects.toMatchObject({
      code: "TOOLS_UNSUPPORTED",
    });
    const mounts = [{ source: "/etc", target: "/host" }];
    await expect(backend.create(context, { mounts })).rejects.toMatchObject({ code: "TOOLS_UNSUPPORTED" });
    await expect(backend.create(context, { languages: ["javascript"] })).rejects.toMatchObject({
      code: "TOOLS_LANGUAGE_MISSING",
    });
    await expect(backend.create(context, { image: "localhost/none" })).rejects.toMatchObject({
      code: "TOOLS_BACKEND_FAILED",
    });
  });

  test("a closed sandbox leaves no container behind", async () => {
    const before = (await podman.engine.listContainers({ all: true })).length;
    const sandbox = await backend.create(context);
    expect(await podman.engine.listContainers({ all: true })).toHaveLength(before + 1);
    await sandbox.close();
    expect(await podman.engine.listContainers({ all: true })).toHaveLength(before);
  });

  let shared: Promise<Sandbox> | undefined;
  const say = async (code: string): Promise<string | undefined> => {
    shared ??= backend.create(context, { limits: { processes: 24, memoryMiB: 128 } });
    const sandbox = await shared;
    const { results, error, status } = await sandbox.run(code, { timeoutMs: 10_000 });
    return results[0]?.data["text/plain"] ?? error?.name ?? status;
  };

  for (const [name, control, unguarded, code, refused] of [
    [
      "a write to the image's own files",
      "the workspace takes the same write",
      "open('/workspace/x', 'w').write('x')",
      "open('/usr/bin/x', 'w').write('x')",
      /OSError|PermissionError/,
    ],
    [
      "the engine's socket and the host's folders",
      "the image's own folders are there",
      "__import__('os').path.isdir('/usr/bin')",
      "[p for p in ('/run/podman', '/var/run/docker.sock', '/work', '/root/.ssh') if __import__('os').path.exists(p)]",
      /^\[\]$/,
    ],
    [
      "a network device beside loopback",
      "loopback is there",
      "[n for _, n in __import__('socket').if_nameindex()].index('lo') >= 0",
      "[n for _, n in __import__('socket').if_nameindex() if n != 'lo']",
      /^\[\]$/,
    ],
    [
      "capabilities, and a way to gain some",
      "the file that says so can be read",
      "'CapEff' in open('/proc/self/status').read()",
      "[l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))]",
      /^\['0{16}', '0{16}', '1'\]$/,
    ],
    [
      "more processes than the limit",
      "a few are started",
      "len([__import__('subprocess').Popen(['sleep', '5']) for _ in range(4)])",
      "len([__import__('subprocess').Popen(['sleep', '5']) for _ in range(200)])",
      /BlockingIOError/,
    ],
  ] as const) {
    hostile(name, {
      ...{ backend: "container", control },
      async unguarded() {
        expect(await say(unguarded)).toMatch(/^(True|1|4)$/);
      },
      async guarded() {
        expect(await say(code)).toMatch(refused);
      },
    });
  }

  hostile("the host's name and processes", {
    ...{ backend: "container", control: "the host itself reads its own" },
    unguarded: () => expect(readFileSync(`/proc/${process.pid}/cmdline`, "utf8")).not.toBe(""),
    async guarded() {
      expect(await say("max(int(p) for p in __import__('os').listdir('/proc') if p.isdigit()) < 50")).toBe("True");
      expect(await say("open('/proc/sys/kernel/hostname').read().strip()")).toBe("'sandbox'");
    },
  });
});
