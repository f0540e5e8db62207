import type { Answer } from "./answer.ts";
import { admitted, facetsOf } from "./callers.ts";
import type { CallContext } from "./dialect.ts";
import { challenge, type ResourceMetadata } from "./http/auth.ts";
import { problemOf } from "./http/problem.ts";
import type { Caller, InboundAuthenticator } from "./inbound-authenticator.ts";
import type { Facets } from "./limits/limit-rule.ts";
import type { LimitHeaders } from "./limits/limited-error.ts";
import type { Limits } from "./limits/limits.ts";
import type { Slot } from "./slot-limiter.ts";

export interface EntranceDeps {
  readonly authenticator: InboundAuthenticator;
  readonly limits: Limits;
  readonly resource: ResourceMetadata | undefined;
}

export interface Entered {
  readonly caller: Caller;
  readonly context: CallContext;
  readonly facets: Facets;
  readonly limited: LimitHeaders;
  /** Places that were taken for as long as the call goes on. */
  readonly slots: readonly Slot[];
}

/** Who comes in, and how often. */
export class Entrance {
  readonly #deps: EntranceDeps;

  constructor(deps: EntranceDeps) {
    this.#deps = deps;
  }

  /** An answer is a refusal. `agent` is the published one that is asked, `stays` whether the connection does. */
  async enter(
    request: Request,
    {
      address,
      agent,
      stays = false,
    }: { readonly address?: string | undefined; readonly agent?: string | undefined; readonly stays?: boolean },
  ): Promise<Entered | Answer> {
    const { authenticator, limits, resource } = this.#deps;
    const caller = await authenticator.authenticate(request).catch((error: unknown) => {
      if (problemOf(error).kind === "unauthenticated") return { refused: problemOf(error).detail };
      throw error;
    });
    if (caller === undefined || "refused" in caller) {
      await limits.take({ address }, "door");
      return challenge(request, resource, caller?.refused);
    }
    const principal = admitted(caller);
    const known = facetsOf(principal);
    const facets = { ...known, agent: known.agent ?? agent, address };
    const quiet = limits.quiet("door");
    const limited = quiet ? {} : await limits.take(facets, "door");
    const slots = limits.slotted ? await this.#occupy(request, facets, stays) : [];
    const key = request.headers.get("idempotency-key");
    const context: CallContext = key === null ? { principal } : { principal, idempotencyKey: key };
    return { caller, context, facets, limited, slots };
  }

  /** A stream that was asked for by a POST is work too. */
  async #occupy({ method }: Request, facets: Facets, stays: boolean): Promise<readonly Slot[]> {
    const { limits } = this.#deps;
    const slots: Slot[] = [];
    try {
      if (stays) slots.push(await limits.occupy("connections", facets, "door"));
      if (!stays || method === "POST") slots.push(await limits.occupy("concurrency", facets, "door"));
    } catch (error) {
      await Promise.all(slots.map((slot) => slot.release()));
      throw error;
    }
    return slots;
  }
}
