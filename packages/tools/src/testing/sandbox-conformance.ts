import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import { isAtLeast } from "../grades.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { TestFunction } from "./suite.ts";

const context: CallContext = { principal: { tenant: "conformance" } };
const ADD = { python: "kept = 40", javascript: "var kept = 40", typescript: "var kept: number = 40" } as const;
const FAIL = {
  python: "raise ValueError('no')",
  javascript: "throw new Error('no')",
  typescript: "throw new Error('no')",
};
const SPIN = { python: "while True: pass", javascript: "for (;;);", typescript: "for (;;);" } as const;

/** What every backend holds; each capability is asserted both ways: offered, it works; not offered, it is refused. */
export function sandboxConformance({
  test,
  createBackend,
}: {
  readonly test: TestFunction;
  createBackend(): SandboxBackend;
}): void {
  const within = (name: string, body: (sandbox: Sandbox) => Promise<void>, spec: SandboxSpec = {}): unknown =>
    test(name, async () => {
      const backend = createBackend();
      try {
        const sandbox = await backend.create(context, spec);
        await body(sandbox);
        await sandbox.close();
      } finally {
        await backend.close();
      }
    });

  test("a probe that succeeds names the grade the backend claims", async () => {
    const backend = createBackend();
    const report = await backend.probe();
    assert.ok(report.ok, report.ok ? "" : `${report.reason} ${report.remedy}`);
    assert.ok(isAtLeast(report.capabilities.grade, backend.grade));
    assert.equal(report.capabilities.backend, backend.name);
    await backend.close();
  });

  within("each language keeps its variables, and gives a value", async (sandbox) => {
    for (const language of sandbox.capabilities.languages) {
      assert.equal((await sandbox.run(ADD[language], { language })).status, "ok");
      const execution = await sandbox.run("kept + 2", { language });
      assert.equal(execution.results.at(-1)?.data["text/plain"], "42");
      await sandbox.clearContext({ language });
      assert.equal((await sandbox.run("kept", { language })).status, "error");
    }
  });

  within("code that fails is a result with its error, never a rejection", async (sandbox) => {
    for (const language of sandbox.capabilities.languages) {
      const execution = await sandbox.run(FAIL[language], { language });
      assert.equal(execution.status, "error");
      assert.equal(execution.error?.message, "no");
    }
  });

  within("a timeout stops a loop, and the next run works", async (sandbox) => {
    for (const language of sandbox.capabilities.languages) {
      await sandbox.run(ADD[language], { language });
      const execution = await sandbox.run(SPIN[language], { language, timeoutMs: 200 });
      assert.equal(execution.status, "timeout");
      const after = await sandbox.run("kept", { language });
      assert.equal(after.status, execution.stateLost ? "error" : "ok");
      if (sandbox.capabilities.interrupt) assert.equal(execution.stateLost, false);
    }
  });

  within("a language that is not there is a typed error", async (sandbox) => {
    const missing = (["python", "javascript", "typescript"] as const).find(
      (language) => !sandbox.capabilities.languages.includes(language),
    );
    if (missing !== undefined) await rejects(sandbox.run("1", { language: missing }), "TOOLS_LANGUAGE_MISSING");
    await rejects(sandbox.run("1", { context: "nobody" }), "TOOLS_UNKNOWN_CONTEXT");
  });

  within("commands run where they are offered, and are refused where not", async (sandbox) => {
    if (!sandbox.capabilities.commands) return rejects(sandbox.exec(["true"]), "TOOLS_UNSUPPORTED");
    const result = await sandbox.exec(["/bin/sh", "-c", "cat; echo no >&2; exit 3"], { stdin: "yes" });
    assert.deepEqual([result.stdout, result.stderr, result.exitCode], ["yes", "no\n", 3]);
    await rejects(sandbox.exec(["/no/such/program"]), "TOOLS_PROGRAM_MISSING");
    const slow = await sandbox.exec(["/bin/sh", "-c", "sleep 60 & sleep 60"], { timeoutMs: 200 });
    assert.equal(slow.timedOut, true);
    const flood = await sandbox.exec(["/bin/sh", "-c", "head -c 3000000 /dev/zero"], { maxOutputBytes: 1000 });
    assert.deepEqual([flood.stdout.length, flood.truncated], [1000, true]);
  });

  within("files are written, found, changed and removed", async ({ files }) => {
    await files.write("a/one.txt", "alpha\nbeta\n");
    assert.equal(await files.readText("a/one.txt"), "alpha\nbeta\n");
    assert.equal((await files.edit("a/one.txt", { find: "beta", replace: "gamma" })).replacements, 1);
    assert.deepEqual(await files.glob("**/*.txt"), ["a/one.txt"]);
    assert.deepEqual(await files.grep("gam+a"), [{ path: "a/one.txt", line: 2, text: "gamma" }]);
    await files.move("a/one.txt", "b/two.txt");
    assert.deepEqual(
      (await files.list("b")).map(({ path }) => path),
      ["b/two.txt"],
    );
    await rejects(files.read("a/one.txt"), "TOOLS_FILE_NOT_FOUND");
    await rejects(files.read("../../etc/passwd"), "TOOLS_PATH_OUTSIDE");
    await rejects(files.read("b/two.txt", { maxBytes: 3 }), "TOOLS_TOO_LARGE");
    await files.remove("b", { recursive: true });
    assert.deepEqual(await files.glob("**/*.txt"), []);
  });

  within("an archive of the workspace unpacks to the same files", async ({ files }) => {
    const bytes = new Uint8Array(700_000).map((_, at) => (at * 7919) >> 3);
    await files.write("data/random.bin", bytes);
    await files.unpack(await files.pack("data"), "copy");
    assert.deepEqual(new Uint8Array(await files.read("copy/random.bin")), bytes);
  });

  within("after close every call is refused, and closing again does nothing", async (sandbox) => {
    await sandbox.close();
    await sandbox.close();
    await rejects(sandbox.run("1"), "TOOLS_CLOSED");
    await rejects(
      Promise.resolve().then(() => sandbox.files.readText("x")),
      "TOOLS_CLOSED",
    );
  });

  test("user namespaces are given where they are offered, and refused where not", async () => {
    const backend = createBackend();
    try {
      const report = await backend.probe();
      assert.ok(report.ok);
      const made = backend.create(context, { userNamespaces: true });
      if (!report.capabilities.userNamespaces) return await rejects(made, "TOOLS_UNSUPPORTED");
      await using sandbox = await made;
      const { stdout } = await sandbox.exec(["/usr/bin/unshare", "--user", "/bin/echo", "nested"]);
      assert.equal(stdout, "nested\n");
    } finally {
      await backend.close();
    }
  });

  within("the network may not be widened", async (sandbox) => {
    await rejects(sandbox.setNetwork({ mode: "open" }), "TOOLS_NETWORK_REFUSED");
  });
}

async function rejects(call: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(call, (error: { readonly code?: string }) => {
    assert.equal(error.code, code);
    return true;
  });
}
