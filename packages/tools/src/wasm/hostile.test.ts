import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { keepNode, makeSkeleton } from "../bubblewrap/profile.ts";
import { ProcessBackend } from "../process/index.ts";
import type { Sandbox } from "../sandbox.ts";
import { WasmBackend } from "./index.ts";

const context = { principal: { tenant: "acme" } };

/** Each ends with an expression that is true when the attack succeeds. */
const PROBES: readonly (readonly [string, string, string])[] = [
  ["the host's files by an import", "reads them", "typeof (await import('node:fs')).readFileSync === 'function'"],
  [
    "the host's process by a constructor's constructor",
    "reaches it",
    "typeof (function () {}).constructor('return process')().pid === 'number'",
  ],
  ["the caller's environment", "finds the program's path in it", "typeof process.env.PATH === 'string'"],
  ["a way to the network", "has one", "typeof fetch === 'function' || typeof WebSocket === 'function'"],
  ["native modules by require", "loads one", "typeof require('node:os').hostname() === 'string'"],
  ["compiled machine code", "compiles it", "typeof WebAssembly.Module === 'function'"],
  ["a worker thread", "may start one", "typeof (await import('node:worker_threads')).Worker === 'function'"],
];

describeWith([parts.python], "wasm under attack", () => {
  const root = process.getuid?.() === 0;
  const skeleton = makeSkeleton();
  keepNode(skeleton, process.execPath);
  const open = new ProcessBackend({
    ...{ unsafe: true, node: join(skeleton, "node") },
    ...(root ? { user: { uid: 65534, gid: 65534 } } : {}),
  });
  const guarded = new WasmBackend();
  let [inside, outside]: (Sandbox | undefined)[] = [];
  beforeAll(async () => {
    [inside, outside] = await Promise.all([guarded.create(context), open.create(context)]);
  });
  afterAll(async () => {
    await Promise.all([guarded.close(), open.close()]);
    rmSync(skeleton, { recursive: true });
  });

  const succeeds = async (sandbox: Sandbox | undefined, code: string): Promise<boolean> => {
    const execution = await sandbox?.run(code, { language: "javascript" });
    return execution?.status === "ok" && execution.results[0]?.data["text/plain"] === "true";
  };
  for (const [name, does, code] of PROBES) {
    hostile(name, {
      ...{ control: `a plain process ${does}`, backend: "wasm" },
      unguarded: async () => assert.equal(await succeeds(outside, code), true),
      async guarded() {
        assert.equal(await succeeds(inside, "1 === 1"), true);
        assert.equal(await succeeds(inside, code), false);
      },
    });
  }
});
