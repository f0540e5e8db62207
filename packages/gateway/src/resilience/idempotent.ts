import { type CallContext, type Clock, type IdSource, type Json, systemIds } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import type { CallRecord, GatewayStore } from "../gateway-store.ts";
import { canonicalDigest } from "../internal/canonical-digest.ts";
import type { Target, TargetFactory } from "../target.ts";
import type { ToolResult } from "../tool-source.ts";

export interface IdempotencyOptions {
  /** Where keys and results are kept: gateways that share it know of each other's calls. */
  readonly store: GatewayStore;
  /** How long a result answers its key. Default one day. */
  readonly keepMs?: number;
  /** Longer than any call takes: after it, a call whose gateway died may be made again. Default 5 minutes. */
  readonly leaseMs?: number;
  readonly ids?: IdSource;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const AGAIN_MS = 1000;

/**
 * A call with an idempotency key runs once: repeated, it gets the first one's result, also when the caller lost
 * patience while the first was under way. A call that fails is forgotten, so that it may be repeated; whether it had
 * done something the target alone knows, to which the key is sent. Messages do not pass through.
 */
export const idempotent =
  (target: Target | TargetFactory, options: IdempotencyOptions): TargetFactory =>
  (parts) =>
    new IdempotentTarget(typeof target === "function" ? target(parts) : target, options, parts.clock);

class IdempotentTarget implements Target {
  readonly name: string;
  readonly #target: Target;
  readonly #store: GatewayStore;
  readonly #keepMs: number;
  readonly #leaseMs: number;
  readonly #ids: IdSource;
  readonly #clock: Clock;
  /** Of calls that are under way here, by claim. */
  readonly #running = new Map<string, Promise<ToolResult>>();

  constructor(
    target: Target,
    { store, keepMs = DAY_MS, leaseMs = 300_000, ids = systemIds }: IdempotencyOptions,
    clock: Clock,
  ) {
    this.name = target.name;
    this.#target = target;
    this.#store = store;
    this.#keepMs = keepMs;
    this.#leaseMs = leaseMs;
    this.#ids = ids;
    this.#clock = clock;
  }

  list(context: CallContext): ReturnType<Target["list"]> {
    return this.#target.list(context);
  }

  async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    const { principal, idempotencyKey } = context;
    if (idempotencyKey === undefined) return this.#target.call(context, name, args);
    const { tenant, user = null, agent = null, session = null } = principal;
    const claimedAt = this.#clock.now();
    const record: CallRecord = {
      tenant,
      id: canonicalDigest([user, agent, session, this.name, idempotencyKey]),
      digest: canonicalDigest([name, args]),
      claim: this.#ids.next("clm"),
      claimedAt,
      expiresAt: claimedAt + this.#leaseMs,
    };
    const kept = await this.#store.claimCall(record);
    if (kept.claim === record.claim) return this.#run(context, record, name, args);
    if (kept.digest !== record.digest) {
      throw new GatewayError("GATEWAY_INVALID", "The idempotency key was used for another call: take a new one.");
    }
    if (kept.result !== undefined) return kept.result as unknown as ToolResult;
    const running = this.#running.get(kept.claim);
    if (running !== undefined) return running;
    throw new GatewayError("GATEWAY_CONFLICT", "A call with this idempotency key is under way: ask again later.", {
      retryAfterMs: AGAIN_MS,
    });
  }

  #run({ signal: _, ...context }: CallContext, record: CallRecord, name: string, args: Json): Promise<ToolResult> {
    const running = this.#once(context, record, name, args).finally(() => this.#running.delete(record.claim));
    this.#running.set(record.claim, running);
    return running;
  }

  /** A caller who goes away does not end it: he will ask for its result. */
  async #once(context: CallContext, record: CallRecord, name: string, args: Json): Promise<ToolResult> {
    const { tenant, id, claim } = record;
    let result: ToolResult;
    try {
      result = await this.#target.call(context, name, args);
    } catch (error) {
      await this.#store.releaseCall(tenant, id, claim).catch(() => {});
      throw error;
    }
    const settled = { ...record, expiresAt: this.#clock.now() + this.#keepMs, result: result as unknown as Json };
    await this.#store.settleCall(settled);
    return result;
  }

  async close(): Promise<void> {
    await this.#target.close?.();
  }
}
