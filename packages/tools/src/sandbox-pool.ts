import { isDeepStrictEqual } from "node:util";
import type { CallContext } from "./dialect.ts";
import { ToolsError } from "./errors.ts";
import type { IsolationGrade } from "./grades.ts";
import { parseSandboxSpec } from "./parse-sandbox-spec.ts";
import type { Sandbox } from "./sandbox.ts";
import type { ProbeReport, SandboxBackend } from "./sandbox-backend.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

const NOBODY: CallContext = { principal: { tenant: "ashlar-pool" } };

/**
 * Keeps sandboxes of one spec ready, each with a warm kernel. Every one is handed out once and replaced by a new one;
 * none comes back. Another spec than the pool's is made afresh by the backend.
 */
export class SandboxPool implements SandboxBackend {
  readonly name: string;
  readonly grade: IsolationGrade;
  readonly #backend: SandboxBackend;
  readonly #spec: SandboxSpec;
  readonly #size: number;
  readonly #ready: Promise<Sandbox>[] = [];
  #closed = false;

  /** The spec may name neither a workspace nor a network: these belong to a principal, who is not known yet. */
  constructor({
    backend,
    spec = {},
    size,
  }: { readonly backend: SandboxBackend; readonly spec?: SandboxSpec; readonly size: number }) {
    if (spec.workspace !== undefined || (spec.network !== undefined && spec.network.mode !== "none")) {
      throw new ToolsError(
        "TOOLS_INVALID",
        "A pool's sandboxes have no workspace and no network: leave them out of its spec.",
      );
    }
    this.name = backend.name;
    this.grade = backend.grade;
    this.#backend = backend;
    this.#spec = parseSandboxSpec(spec);
    this.#size = size;
  }

  probe(): Promise<ProbeReport> {
    return this.#backend.probe();
  }

  /** Resolves when the pool is full. */
  async fill(): Promise<void> {
    while (!this.#closed && this.#ready.length < this.#size) {
      const made = this.#make();
      made.catch(() => {});
      this.#ready.push(made);
    }
    await Promise.all(this.#ready);
  }

  async create(context: CallContext, spec: SandboxSpec = this.#spec): Promise<Sandbox> {
    if (!isDeepStrictEqual(spec, this.#spec)) return await this.#backend.create(context, spec);
    const ready = this.#ready.shift();
    // Starting a process holds the event loop: not while the one handed out takes its first call.
    setTimeout(() => void this.fill().catch(() => {}), 20).unref();
    const sandbox = await ready?.catch(() => undefined);
    return sandbox ?? (await this.#backend.create(context, spec));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const made = await Promise.allSettled(this.#ready.splice(0));
    await Promise.all(made.map((each) => (each.status === "fulfilled" ? each.value.close() : undefined)));
    await this.#backend.close();
  }

  async #make(): Promise<Sandbox> {
    const sandbox = await this.#backend.create(NOBODY, this.#spec);
    await sandbox.run(sandbox.capabilities.languages[0] === "python" ? "None" : "undefined");
    return sandbox;
  }
}
