import { type CallContext, type Clock, type Json, systemClock } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import type { GatewayStore, TargetRecord } from "./gateway-store.ts";
import { canonicalDigest } from "./internal/canonical-digest.ts";
import type { Target, TargetFactory } from "./target.ts";

/** Makes a target of what is kept of it; throws kind `invalid` where that is not possible. */
export type TargetMaker = (name: string, definition: Json) => Target | TargetFactory;

export interface StoredTargetsDeps {
  readonly store: GatewayStore;
  readonly gateway: Pick<Gateway, "replaceTarget" | "removeTarget">;
  /** Whose targets these are: the tenant that runs the gateway. */
  readonly tenant: string;
  /** By kind, e.g. `{ mcp: (name, definition) => mcpTarget({ name, ... }) }`. */
  readonly makers: Readonly<Record<string, TargetMaker>>;
  readonly clock?: Clock;
}

/**
 * The targets of a gateway as its store keeps them: they outlive it, and gateways that share a store get the same ones
 * at their next `sync`. Targets that were added by hand are not touched.
 */
export class StoredTargets {
  readonly #deps: StoredTargetsDeps;
  readonly #clock: Clock;
  /** What the gateway has of them, by digest. */
  readonly #served = new Map<string, string>();

  constructor(deps: StoredTargetsDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
  }

  /** Keeps it and offers it at once. Throws kind `invalid`, and keeps nothing, where no target can be made of it. */
  async save(name: string, kind: string, definition: Json): Promise<void> {
    const { tenant, store } = this.#deps;
    const record: TargetRecord = { tenant, name, kind, definition, updatedAt: this.#clock.now() };
    await this.#serve(record);
    await store.saveTarget(record);
  }

  async remove(name: string): Promise<void> {
    const { tenant, store, gateway } = this.#deps;
    await store.deleteTarget(tenant, name);
    if (this.#served.delete(name)) await gateway.removeTarget(name);
  }

  /** Offers what the store has now. Those that cannot be made are named in the answer and left as they were. */
  async sync(options: Pick<CallContext, "signal"> = {}): Promise<readonly { name: string; error: unknown }[]> {
    const { tenant, store, gateway } = this.#deps;
    const records = await store.targets(tenant);
    const failed: { name: string; error: unknown }[] = [];
    for (const record of records) {
      options.signal?.throwIfAborted();
      await this.#serve(record).catch((error: unknown) => failed.push({ name: record.name, error }));
    }
    const kept = new Set(records.map(({ name }) => name));
    for (const name of [...this.#served.keys()].filter((each) => !kept.has(each))) {
      this.#served.delete(name);
      await gateway.removeTarget(name);
    }
    return failed;
  }

  async #serve({ name, kind, definition }: TargetRecord): Promise<void> {
    const digest = canonicalDigest([kind, definition]);
    if (this.#served.get(name) === digest) return;
    const { makers, gateway } = this.#deps;
    const make = Object.hasOwn(makers, kind) ? makers[kind] : undefined;
    if (make === undefined) {
      throw new GatewayError("GATEWAY_INVALID", `Target ${name}: nothing makes a target of the kind ${kind}.`);
    }
    await gateway.replaceTarget(make(name, definition));
    this.#served.set(name, digest);
  }
}
