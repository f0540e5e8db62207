import type { ApprovalRecord, ApprovalStore } from "./approval-store.ts";
import { type CallContext, type Clock, type Json, type Page, systemClock } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import { canonicalDigest } from "./internal/canonical-digest.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Calls that a policy wants a person to see first. A held call ends with `GATEWAY_APPROVAL_NEEDED`; once it was
 * answered, the same call by the same principal runs, a single time: other arguments are another call.
 */
export class Approvals {
  readonly #store: ApprovalStore;
  readonly #expireMs: number;
  readonly #clock: Clock;

  constructor({
    store,
    expireMs = DAY_MS,
    clock = systemClock,
  }: {
    readonly store: ApprovalStore;
    /** How long a call waits, and an answer for it. Default one day. */
    readonly expireMs?: number;
    readonly clock?: Clock;
  }) {
    this.#store = store;
    this.#expireMs = expireMs;
    this.#clock = clock;
  }

  /** What waits in the caller's tenant, oldest first. */
  async open(context: CallContext, query: { readonly cursor?: string } = {}): Promise<Page<ApprovalRecord>> {
    return this.#store.open(context.principal.tenant, { now: this.#clock.now(), ...query });
  }

  /** Throws kind `not_found` when it does not wait, or no more. Who may answer is for the caller to decide. */
  async answer(
    context: CallContext,
    id: string,
    { allow, message }: { readonly allow: boolean; readonly message?: string },
  ): Promise<void> {
    const { tenant, user } = context.principal;
    const found = await this.#store.answer(tenant, id, {
      allow,
      at: this.#clock.now(),
      ...(message === undefined ? {} : { message }),
      ...(user === undefined ? {} : { by: user }),
    });
    if (!found)
      throw new GatewayError("GATEWAY_NOT_FOUND", `No call waits as ${id.slice(0, 128)}, or it was answered.`);
  }

  /** Returns when this very call was approved; else holds it and throws. */
  async require(context: CallContext, resource: string, args: Json, reason: string): Promise<void> {
    const { principal } = context;
    const { tenant, user = null, agent = null, session = null } = principal;
    const id = `apr_${canonicalDigest([tenant, user, agent, session, resource, args]).slice(0, 32)}`;
    const requestedAt = this.#clock.now();
    const held = await this.#store.hold({
      id,
      principal,
      resource,
      arguments: args,
      reason,
      requestedAt,
      expiresAt: requestedAt + this.#expireMs,
    });
    const taken = held.answer === undefined ? undefined : await this.#store.take(tenant, id);
    if (taken?.answer?.allow === true) return;
    if (taken?.answer !== undefined) {
      const { message = "without a message" } = taken.answer;
      throw new GatewayError("GATEWAY_DENIED", `${resource} was not approved: ${message}`);
    }
    throw new GatewayError(
      "GATEWAY_APPROVAL_NEEDED",
      `${resource} needs approval: ${reason}. It is held as ${id}: repeat the same call once it was answered.`,
    );
  }
}
