import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, test } from "vitest";
import { ToolsError } from "./errors.ts";
import { type IsolationGrade, isAtLeast } from "./grades.ts";
import { parseNetworkPolicy, parseSandboxSpec } from "./parse-sandbox-spec.ts";
import { ProcessBackend } from "./process/index.ts";
import { WasmBackend } from "./wasm/index.ts";

const refused: readonly (readonly [string, unknown, RegExp])[] = [
  ["no object", 7, /spec: give an object/],
  ["a misspelt field", { limit: {} }, /there is no "limit", only .*limits/],
  ["a misspelt limit", { limits: { memoryMb: 64 } }, /there is no "memoryMb", only memoryMiB/],
  ...[-1, 0, Number.NaN, Number.POSITIVE_INFINITY, "64", null].map(
    (memoryMiB) =>
      [`${memoryMiB} MiB of memory`, { limits: { memoryMiB } }, /limits\.memoryMiB: .* number from/] as const,
  ),
  ["half a process", { limits: { processes: 1.5 } }, /whole number from 1/],
  ["a time that timers do not take", { limits: { lifetimeMs: 2 ** 31 } }, /lifetimeMs/],
  ["a variable with an equals sign", { environment: { "A=B": "1" } }, /"A=B" is no name of a variable/],
  ["a variable that is no string", { environment: { A: 1 } }, /environment\.A: give a string/],
  ["a variable with a NUL", { environment: { A: "a\0B=2" } }, /environment\.A/],
  ["an unknown policy", { network: { mode: "all" } }, /"all" is no policy: none, allow, packages or open/],
  ["an allow-list without a list", { network: { mode: "allow" } }, /network\.hosts: give a list/],
  ["hosts beside an open policy", { network: { mode: "open", hosts: [] } }, /names no hosts: use allow/],
  ...["", "*", "a b", "https://a.test", "a.test:443", "a.*.test"].map(
    (host) => [`the host ${host}`, { network: { mode: "allow", hosts: [{ host }] } }, /hosts\[0\]\.host/] as const,
  ),
  ["port 0", { network: { mode: "packages", hosts: [{ host: "a.test", port: 0 }] } }, /hosts\[0\]\.port/],
  ...["relative", "/", "/a/../etc", "/a//b", "/a/", "/a\0"].flatMap((path) => [
    [`the target ${path}`, { mounts: [{ source: "/srv", target: path }] }, /mounts\[0\]\.target/] as const,
    [`the source ${path}`, { mounts: [{ source: path, target: "/srv" }] }, /mounts\[0\]\.source/] as const,
  ]),
  ["a module that is code", { preload: ["os; import sys"] }, /no name of a Python module/],
  ["a flag that is a word", { userNamespaces: "yes" }, /userNamespaces: give true or false/],
  ["a workspace without a name", { workspace: "" }, /spec\.workspace/],
];

describe("a spec is refused, with its field and what to give", () => {
  test.each(refused)("%s", (_, spec, message) => {
    assert.throws(() => parseSandboxSpec(spec), { code: "TOOLS_INVALID", message });
  });

  test("and by every backend, before anything is started", async () => {
    const context = { principal: { tenant: "acme" } };
    for (const backend of [new ProcessBackend({ unsafe: true }), new WasmBackend()]) {
      const made = backend.create(context, { limits: { memoryMiB: Number.NaN } });
      await assert.rejects(made, { code: "TOOLS_INVALID" }, backend.name);
    }
  });

  test("and what a variable holds is not in the error", () => {
    const held = { environment: { KEY: "s3cret\0" } };
    assert.throws(
      () => parseSandboxSpec(held),
      (error: Error) => !error.message.includes("s3cret"),
    );
  });
});

test("what a caller may well ask for is taken as it is", () => {
  const spec = {
    languages: ["python"],
    limits: { memoryMiB: 64, cpus: 0.5, processes: 1, diskMiB: 4, wallTimeMs: 1, outputBytes: 0 },
    network: { mode: "allow", hosts: [{ host: "*.a.test" }, { host: "bücher.test", port: 22 }, { host: "::1" }] },
    environment: { _A1: "", LONG: "x".repeat(1000) },
    preload: ["matplotlib.pyplot"],
    mounts: [{ source: "/srv/data", target: "/data", writable: true }],
    image: undefined,
  };
  assert.equal(parseSandboxSpec(spec), spec);
});

test("anything at all is taken or refused with a typed error", () => {
  const typed = (parse: (value: unknown) => unknown) => (value: unknown) => {
    try {
      parse(value);
    } catch (error) {
      assert.ok(ToolsError.is(error));
    }
  };
  fc.assert(fc.property(fc.anything(), typed(parseSandboxSpec)));
  const record = fc.record({ mode: fc.constantFrom("allow", "packages"), hosts: fc.array(fc.anything()) });
  fc.assert(fc.property(record, typed(parseNetworkPolicy)));
});

test("a grade that does not exist is no minimum that everything passes", () => {
  assert.throws(() => isAtLeast("none", "namespaces" as IsolationGrade), { code: "TOOLS_INVALID" });
  assert.equal(isAtLeast("kernel", "namespace"), true);
});
