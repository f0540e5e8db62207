import assert from "node:assert/strict";
import type { CallContext } from "../../dialect.ts";
import type { Sandbox } from "../../sandbox.ts";
import type { SandboxBackend } from "../../sandbox-backend.ts";
import { type ConductPlace, fileCases, kernelCases, resourceCases } from "./conduct-cases.ts";
import { Controls } from "./controls.ts";
import { PlantedHost } from "./planted-host.ts";
import { outcomesOf, PYTHON } from "./probe-runner.ts";
import { type SandboxProbe, sandboxProbes } from "./sandbox-probes.ts";

export interface HostileCase {
  /** How the attack succeeds where the guard is missing. */
  readonly control: string;
  readonly backend?: string;
  /** Asserts that the attack succeeds without the guard. */
  unguarded(): Promise<void> | void;
  /** Asserts that the same attack fails on the backend. */
  guarded(): Promise<void> | void;
}

export interface HostileConformanceOptions {
  /** Runs one case as a test: `unguarded` first, then `guarded`. */
  readonly hostile: (name: string, attack: HostileCase) => unknown;
  /** The runner's own, as vitest's or `before` and `after` of `node:test`. */
  readonly beforeAll: (body: () => Promise<void>) => unknown;
  readonly afterAll: (body: () => Promise<void>) => unknown;
  readonly backend: string;
  /** Called once, before the first case. `leakyBwrap` is a `bwrap` whose caller left a file of the host open. */
  createBackend(leakyBwrap: string): SandboxBackend;
  /** System calls are answered by a kernel of the sandbox's own: what that kernel grants reaches nothing of the host. */
  readonly ownKernel?: boolean;
  /** Cases that mean nothing here, by name, and why. */
  readonly notApplicable?: Readonly<Record<string, string>>;
  /** Told of each of these, so that a report can show the reason. */
  readonly skip?: (name: string, reason: string) => unknown;
}

/** For cases of one backend beside the common ones; all from inside a test. */
export interface HostilePlace {
  readonly host: PlantedHost;
  readonly controls: Controls;
  readonly backend: () => SandboxBackend;
  /** A sandbox without limits of its own. */
  readonly inside: () => Sandbox;
}

const context: CallContext = { principal: { tenant: "acme" } };
const LIMITS = { processes: 24, memoryMiB: 128, diskMiB: 32 };
const OWN_KERNEL = "the sandbox's own kernel answers, and reaches nothing of the host";

/**
 * Attacks by name on a backend that runs Python and commands, each with a control that shows it to succeed where the
 * guard is missing. Needs Linux, `/usr/bin/python3` and bubblewrap for the controls, which only look at the host as
 * nobody, or run in namespaces of their own. Reports to the runner through `hostile`; nothing is left on the host.
 */
export function hostileConformance(options: HostileConformanceOptions): HostilePlace {
  const { hostile, backend: name, notApplicable = {}, skip = () => {} } = options;
  const host = new PlantedHost();
  const controls = new Controls(host);
  let [backend, inside, limited]: [SandboxBackend?, Sandbox?, Sandbox?] = [];
  options.beforeAll(async () => {
    await host.start();
    await controls.start();
    backend = options.createBackend(controls.leaky);
    inside = await backend.create(context);
    limited = await backend.create(context, { limits: LIMITS });
  });
  options.afterAll(async () => {
    for (const each of [inside, limited, backend]) await each?.close();
    await controls.stop();
    host.stop();
  });
  const there = <T>(value: T | undefined): T => {
    assert.ok(value !== undefined, "The suite did not start.");
    return value;
  };
  const place = (): ConductPlace => ({
    ...{ host, outside: controls.outside, inside: there(limited) },
    sibling: () => there(backend).create(context),
  });
  const applies = (title: string, reason = notApplicable[title]): boolean => {
    if (reason !== undefined) skip(title, reason);
    return reason === undefined;
  };

  for (const { name: title, control, unguarded, guarded } of [...resourceCases, ...fileCases, ...kernelCases]) {
    if (!applies(title)) continue;
    hostile(title, {
      ...{ control, backend: name },
      unguarded: () => unguarded(place()),
      guarded: () => guarded(place()),
    });
  }

  const probes = sandboxProbes(host).filter((probe) =>
    applies(
      probe.name,
      probe.absent ?? (options.ownKernel && probe.ownKernel ? OWN_KERNEL : notApplicable[probe.name]),
    ),
  );
  const outcomes = once();
  for (const { name: title, control, without } of probes) {
    hostile(title, {
      ...{ control, backend: name },
      async unguarded() {
        const kept = probes.filter((probe) => probe.without === without);
        assert.equal((await outcomes(without, kept, controls[without])).get(title), true);
      },
      async guarded() {
        const run = async (stdin: string): Promise<string> => (await there(inside).exec(PYTHON, { stdin })).stdout;
        assert.equal((await outcomes("inside", probes, run)).get(title), false);
      },
    });
  }
  return { host, controls, backend: () => there(backend), inside: () => there(inside) };
}

type Run = (stdin: string) => Promise<string> | string;

/** All probes of one kind of control run together, and only once. */
function once(): (where: string, probes: readonly SandboxProbe[], run: Run) => Promise<ReadonlyMap<string, boolean>> {
  const known = new Map<string, Promise<ReadonlyMap<string, boolean>>>();
  return (where, probes, run) => {
    const found =
      known.get(where) ?? (async () => outcomesOf(probes, await run(JSON.stringify(probes.map(({ code }) => code)))))();
    known.set(where, found);
    return found;
  };
}
