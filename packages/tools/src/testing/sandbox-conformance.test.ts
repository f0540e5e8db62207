import assert from "node:assert/strict";
import { test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { IsolationGrade } from "../grades.ts";
import { ProcessBackend } from "../process/index.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import { strongestBackend } from "../strongest-backend.ts";
import { sandboxConformance } from "./sandbox-conformance.ts";

/** A backend of which one thing is broken on purpose. */
function broken(plant: (sandbox: Sandbox) => Partial<Sandbox>): SandboxBackend {
  const backend = new ProcessBackend({ unsafe: true });
  const faulty = (sandbox: Sandbox): Sandbox =>
    new Proxy(sandbox, {
      get(target, key) {
        const fault = plant(target);
        const value: unknown = Reflect.get(key in fault ? fault : target, key, key in fault ? fault : target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return {
    ...{ name: backend.name, grade: backend.grade },
    probe: () => backend.probe(),
    create: async (context, spec) => faulty(await backend.create(context, spec)),
    close: () => backend.close(),
  };
}

const faults: readonly (readonly [string, string, (sandbox: Sandbox) => Partial<Sandbox>])[] = [
  [
    "variables that survive a clear",
    "each language keeps its variables, and gives a value",
    () => ({ clearContext: async () => {} }),
  ],
  [
    "a timeout that is ignored",
    "commands run where they are offered, and are refused where not",
    (sandbox) => ({
      exec: (command, options) => sandbox.exec(command[2]?.includes("sleep") ? ["true"] : command, options),
    }),
  ],
  [
    "an edit that changes nothing",
    "files are written, found, changed and removed",
    ({ files }) => ({ files: { ...files, edit: async () => ({ replacements: 0 }) } }),
  ],
  ["a network that widens", "the network may not be widened", () => ({ setNetwork: async () => {} })],
];

describeWith([parts.python], "the suite itself", () => {
  for (const [fault, name, plant] of faults) {
    test(`catches ${fault}`, async () => {
      const cases = new Map<string, () => Promise<void>>();
      sandboxConformance({ test: (title, body) => cases.set(title, body), createBackend: () => broken(plant) });
      await assert.rejects(async () => await cases.get(name)?.(), assert.AssertionError);
    });
  }
});

const fake = (grade: IsolationGrade, ok: boolean, probed: string[] = []): SandboxBackend => ({
  ...{ name: `fake-${grade}`, grade },
  async probe() {
    probed.push(grade);
    const failed = { ok: false, backend: this.name, grade, reason: "It is off.", remedy: "Turn it on." } as const;
    return ok ? ({ ok, backend: this.name, capabilities: { grade } } as ProbeReport) : failed;
  },
  create: () => Promise.reject(new Error("not asked for")),
  close: async () => {},
});

test("the strongest that proves itself is chosen, and failed probes are reported", async () => {
  const { backend, reports } = await strongestBackend(
    [fake("language", true), fake("namespace", true), fake("vm", false)],
    {
      minIsolation: "language",
    },
  );
  assert.equal(backend.grade, "namespace");
  assert.deepEqual(
    reports.map(({ ok }) => ok),
    [false, true],
  );
});

test("a failed probe never falls below the minimum; the error says what to change", async () => {
  const probed: string[] = [];
  const choice = strongestBackend([fake("none", true, probed), fake("kernel", false, probed)], {
    minIsolation: "namespace",
  });
  await assert.rejects(choice, { code: "TOOLS_ISOLATION_UNAVAILABLE", message: /It is off\. Turn it on\./ });
  assert.deepEqual(probed, ["kernel"]);
});
