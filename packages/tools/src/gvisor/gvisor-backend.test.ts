import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, describe, expect, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { CallContext } from "../dialect.ts";
import { probedOnce } from "../fixtures/probed-once.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import { sandboxConformance } from "../testing/sandbox-conformance.ts";
import { GvisorBackend } from "./gvisor-backend.ts";

const context: CallContext = { principal: { tenant: "acme", session: "one" } };

test("a missing runsc fails closed and says what to install", async () => {
  const backend = new GvisorBackend({ runsc: "/nowhere/runsc" });
  expect(await backend.probe()).toMatchObject({ ok: false, remedy: expect.stringContaining("runsc") });
  await expect(backend.create(context)).rejects.toMatchObject({ code: "TOOLS_ISOLATION_UNAVAILABLE" });
});

describeWith([parts.gvisor, parts.python], "gvisor", () => {
  const backend = new GvisorBackend();
  afterAll(() => backend.close());
  describe("conformance", () => sandboxConformance({ test, createBackend: () => probedOnce(() => backend) }));

  async function within<T>(spec: SandboxSpec, body: (sandbox: Sandbox) => Promise<T>): Promise<T> {
    await using sandbox = await backend.create(context, spec);
    return await body(sandbox);
  }

  test("runs code and commands under a kernel of its own", () =>
    within({}, async (sandbox) => {
      await sandbox.run("x = 20");
      expect((await sandbox.run("x + 1")).results[0]?.data["text/plain"]).toBe("21");
      const { stdout } = await sandbox.exec(["/bin/cat", "/proc/version"]);
      expect(stdout).not.toBe(readFileSync("/proc/version", "utf8"));
      await sandbox.files.write("a/b.txt", "kept");
      expect((await sandbox.exec(["/bin/cat", "a/b.txt"])).stdout).toBe("kept");
    }));

  test("the disk limit holds", () =>
    within({ limits: { diskMiB: 16 } }, async (sandbox) => {
      const filled = await sandbox.exec(["/bin/sh", "-c", "head -c 64000000 /dev/zero > big"]);
      expect(filled.exitCode).not.toBe(0);
    }));

  test("memory over the limit ends the code or the sandbox and nothing else", async () => {
    const report = await backend.probe();
    if (!report.ok || report.capabilities.limits.memory !== "enforced") return;
    const sandbox = await backend.create(context, { limits: { memoryMiB: 192 } });
    const bomb = await sandbox.run("held = []\nwhile True: held.append(bytearray(8 << 20))").catch((error) => error);
    expect(bomb.status ?? bomb.code).not.toBe("ok");
    await sandbox.close();
  });

  test("a network without a gateway, an image and a mount over the system are refused", async () => {
    for (const spec of [{ network: { mode: "open" } }, { image: "x" }] satisfies SandboxSpec[]) {
      await expect(backend.create(context, spec)).rejects.toMatchObject({ code: "TOOLS_UNSUPPORTED" });
    }
    for (const target of ["/etc", "/usr/bin", "/a/../../out", "relative"]) {
      const mounts = [{ source: tmpdir(), target }];
      await expect(backend.create(context, { mounts })).rejects.toMatchObject({ code: "TOOLS_INVALID" });
    }
  });
});
