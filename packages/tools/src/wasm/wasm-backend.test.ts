import { afterAll, describe, expect, test } from "vitest";
import type { CallContext } from "../dialect.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import { sandboxConformance } from "../testing/sandbox-conformance.ts";
import { WasmBackend } from "./wasm-backend.ts";

const context: CallContext = { principal: { tenant: "acme", session: "one" } };
const backend = new WasmBackend();
afterAll(() => backend.close());

async function within<T>(spec: SandboxSpec, body: (sandbox: Sandbox) => Promise<T>): Promise<T> {
  await using sandbox = await backend.create(context, spec);
  return await body(sandbox);
}

const plain = { limits: { memoryMiB: 32, wallTimeMs: 10_000 } } satisfies SandboxSpec;
const value = (data: { readonly results: readonly { readonly data: Readonly<Record<string, string>> }[] }) =>
  data.results[0]?.data["text/plain"];

describe("programs", () => {
  test("variables stay from run to run, also a const that is declared again", () =>
    within(plain, async (sandbox) => {
      await sandbox.run("const a = 20; let b = 1; function twice(n) { return 2 * n }");
      expect(value(await sandbox.run("twice(a) + b"))).toBe("41");
      expect(value(await sandbox.run("const a = 7;\na"))).toBe("7");
      await sandbox.clearContext({ language: "javascript" });
      expect((await sandbox.run("a")).error?.name).toBe("ReferenceError");
    }));

  test("a value comes as text and as JSON, output apart from it", () =>
    within(plain, async (sandbox) => {
      const done = await sandbox.run('console.log("hi", [1]); console.error("bad"); ({ total: 3 })');
      expect(done).toMatchObject({ status: "ok", stdout: "hi [1]\n", stderr: "bad\n", stateLost: false });
      expect(done.results[0]?.data).toEqual({ "text/plain": "{ total: 3 }", "application/json": '{"total":3}' });
    }));

  test("await at the top, timers and rejected promises are settled", () =>
    within(plain, async (sandbox) => {
      const waited = await sandbox.run("await new Promise((done) => setTimeout(() => done(5), 5));\nconsole.log('x')");
      expect(waited).toMatchObject({ status: "ok", stdout: "x\n" });
      const failed = await sandbox.run("Promise.reject(new TypeError('no'))");
      expect(failed.error).toMatchObject({ name: "TypeError", message: "no" });
      expect((await sandbox.run("new Promise(() => {})")).status).toBe("error");
    }));

  test("contexts do not see each other's variables", () =>
    within(plain, async (sandbox) => {
      const { id } = await sandbox.createContext({ language: "javascript" });
      await sandbox.run("globalThis.mine = 1", { context: id });
      expect(value(await sandbox.run("typeof mine"))).toBe('"undefined"');
      await expect(sandbox.run("1", { context: "ctx_unknown" })).rejects.toMatchObject({
        code: "TOOLS_UNKNOWN_CONTEXT",
      });
    }));
});

describe("limits", () => {
  test("a spin ends at its deadline, does not hold up the host, and keeps variables", () =>
    within(plain, async (sandbox) => {
      await sandbox.run("let kept = 3");
      let turns = 0;
      const ticker = setInterval(() => {
        turns += 1;
      }, 1);
      const spun = await sandbox.run("for (;;) {}", { timeoutMs: 100 });
      clearInterval(ticker);
      expect(spun).toMatchObject({ status: "timeout", stateLost: false });
      expect(turns).toBeGreaterThan(0);
      expect(value(await sandbox.run("kept"))).toBe("3");
    }));

  test("memory, by buffers or by strings, ends in an error and not in the host's memory", () =>
    within(plain, async (sandbox) => {
      const buffers = await sandbox.run("const held = []; for (;;) held.push(new Uint8Array(1e6).fill(1))");
      expect(buffers.status).not.toBe("ok");
      const strings = await sandbox.run("const parts = []; for (let n = 0;; n++) parts.push(('x' + n).repeat(1e6))");
      expect(strings.status).not.toBe("ok");
      expect(value(await sandbox.run("1 + 1"))).toBe("2");
    }));

  test("endless recursion is an error of the program or of its interpreter, never of the host", () =>
    within(plain, async (sandbox) => {
      const deep = await sandbox.run("(function deeper() { return 1 + deeper() })()");
      expect(["error", "died"]).toContain(deep.status);
      expect(value(await sandbox.run("2"))).toBe("2");
    }));

  test("a pattern that backtracks without end is stopped", () =>
    within(plain, async (sandbox) => {
      const stuck = await sandbox.run("/^(a+)+$/.test('a'.repeat(40) + 'b')", { timeoutMs: 100 });
      expect(["timeout", "error"]).toContain(stuck.status);
      expect(value(await sandbox.run("2"))).toBe("2");
    }));

  test("output over the cap is cut and said so", () =>
    within({ limits: { outputBytes: 100 } }, async (sandbox) => {
      const loud = await sandbox.run("for (let n = 0; n < 1000; n++) console.log('é'.repeat(50))");
      expect(loud.truncated).toBe(true);
      expect(Buffer.byteLength(loud.stdout)).toBeLessThanOrEqual(102);
    }));

  test("an interrupt and an aborted signal both end the run", () =>
    within(plain, async (sandbox) => {
      const running = sandbox.run("console.log('on'); for (;;) {}", { onOutput: () => void sandbox.interrupt() });
      expect((await running).status).toBe("interrupted");
      const abort = new AbortController();
      const cancelled = sandbox.run("console.log('on'); for (;;) {}", {
        signal: abort.signal,
        onOutput: () => abort.abort(),
      });
      await expect(cancelled).rejects.toMatchObject({ code: "TOOLS_CANCELLED" });
    }));
});

describe("files", () => {
  test("programs and the host see the same files", () =>
    within(plain, async (sandbox) => {
      await sandbox.files.write("data/in.csv", "a,b\n1,2\n");
      const read = await sandbox.run(
        "fs.writeFileSync('out.txt', fs.readFileSync('data/in.csv', 'utf8').toUpperCase()); fs.readdirSync('.')",
      );
      expect(read.error).toBeUndefined();
      expect(read.results[0]?.data["application/json"]).toBe('["data","out.txt"]');
      expect(await sandbox.files.readText("out.txt")).toBe("A,B\n1,2\n");
    }));

  test("glob and grep answer inside; a bad pattern is a typed error", () =>
    within(plain, async ({ files }) => {
      await files.write("a/one.ts", "alpha\nbeta\n");
      await files.write("two.ts", "beta");
      expect(await files.glob("**/*.ts")).toEqual(["a/one.ts", "two.ts"]);
      expect(await files.glob("*.ts")).toEqual(["two.ts"]);
      expect(await files.grep("^be", { glob: "*.ts" })).toEqual([
        { path: "a/one.ts", line: 2, text: "beta" },
        { path: "two.ts", line: 1, text: "beta" },
      ]);
      await expect(files.grep("(")).rejects.toMatchObject({ code: "TOOLS_INVALID" });
    }));

  test("paths outside, absence, edits that fit twice and a full disk are typed errors", () =>
    within({ limits: { diskMiB: 1 } }, async ({ files }) => {
      await expect(files.read("../etc/passwd")).rejects.toMatchObject({ code: "TOOLS_PATH_OUTSIDE" });
      await expect(files.read("none")).rejects.toMatchObject({ code: "TOOLS_FILE_NOT_FOUND" });
      await files.write("f", "xx");
      await expect(files.edit("f", { find: "x", replace: "y" })).rejects.toMatchObject({ code: "TOOLS_INVALID" });
      expect(await files.edit("f", { find: "x", replace: "$&", all: true })).toEqual({ replacements: 2 });
      expect(await files.readText("f")).toBe("$&$&");
      await expect(files.write("big", new Uint8Array(2 ** 20))).rejects.toMatchObject({ code: "TOOLS_LIMIT_EXCEEDED" });
    }));

  test("an archive goes round; one that would leave its folder is refused", () =>
    within(plain, async ({ files }) => {
      await files.write("keep/a.txt", "A");
      await files.makeFolder("keep/empty");
      await files.unpack(await files.pack("keep"), "copy");
      expect((await files.list("copy", { recursive: true })).map(({ path }) => path)).toEqual([
        "copy/a.txt",
        "copy/empty",
      ]);
      const { packTar } = await import("modern-tar");
      const bad = await packTar([{ header: { name: "../out", size: 1, type: "file" }, body: "x" }]);
      await expect(files.unpack(new Blob([bad]).stream() as never)).rejects.toMatchObject({
        code: "TOOLS_ARCHIVE_REFUSED",
      });
      const { zipSync } = await import("fflate");
      const zip = zipSync({ "z/b.txt": new TextEncoder().encode("B"), bomb: new Uint8Array(2 ** 20) });
      await expect(
        files.unpack(new Blob([zip as Uint8Array<ArrayBuffer>]).stream() as never, "zip", { maxBytes: 100_000 }),
      ).rejects.toMatchObject({ code: "TOOLS_ARCHIVE_REFUSED" });
    }));
});

describe("law", () => {
  test("what it cannot do is refused by name, and after close everything is", async () => {
    await expect(backend.create(context, { languages: ["python"] })).rejects.toMatchObject({
      code: "TOOLS_LANGUAGE_MISSING",
    });
    await expect(backend.create(context, { network: { mode: "open" } })).rejects.toMatchObject({
      code: "TOOLS_NETWORK_REFUSED",
    });
    const sandbox = await backend.create(context);
    await expect(sandbox.exec(["ls"])).rejects.toMatchObject({ code: "TOOLS_UNSUPPORTED" });
    await sandbox.close();
    await sandbox.close();
    await expect(sandbox.run("1")).rejects.toMatchObject({ code: "TOOLS_CLOSED" });
    await expect(sandbox.files.list()).rejects.toMatchObject({ code: "TOOLS_CLOSED" });
    expect(await sandbox.closed).toEqual({ reason: "closed" });
  });

  test("a program finds nothing of the host", () =>
    within({ ...plain, environment: { SEEN: "yes" } }, async (sandbox) => {
      const found = await sandbox.run(
        "[typeof WebAssembly, typeof fetch, typeof Deno, Object.keys(process), process.env.SEEN, typeof process.env.PATH].join()",
      );
      expect(value(found)).toBe('"undefined,undefined,undefined,env,yes,undefined"');
      expect((await sandbox.run("import('node:fs')")).status).toBe("error");
    }));

  test("a named workspace outlives its sandbox", async () => {
    const saved = new Map<string, Uint8Array<ArrayBuffer>>();
    const keeper = new WasmBackend({
      workspaces: {
        restore: async (_, name) => {
          const archive = saved.get(name);
          return archive === undefined ? undefined : (new Blob([archive]).stream() as ReadableStream<Uint8Array>);
        },
        save: async (_, name, archive) => {
          saved.set(name, new Uint8Array(await new Response(archive as never).arrayBuffer()));
        },
      },
    });
    const first = await keeper.create(context, { workspace: "w" });
    await first.run("fs.writeFileSync('note', 'kept')");
    await first.close();
    const second = await keeper.create(context, { workspace: "w" });
    expect(await second.files.readText("note")).toBe("kept");
    await keeper.close();
  });
});

describe("conformance", () => sandboxConformance({ test, createBackend: () => new WasmBackend() }));
