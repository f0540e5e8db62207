import type { AgentDescription, AgentSessions } from "../agent-sessions.ts";
import type { CallContext, Page } from "../dialect.ts";
import { GatewayError } from "../errors.ts";

/** An agent under a name of the gateway's own. */
export interface Publication {
  readonly agent: string;
  /** Which version or endpoint of the agent; without one the caller may say. */
  readonly qualifier?: string;
  readonly description?: string;
}

/** Which agents stand at which names. Without a list of them, each agent stands at its own. */
export class Publications {
  readonly #sessions: AgentSessions;
  readonly #open: boolean;
  readonly #named: Map<string, Publication>;
  readonly #withdrawn = new Set<string>();

  constructor(sessions: AgentSessions, named: Readonly<Record<string, Publication>> | undefined) {
    this.#sessions = sessions;
    this.#open = named === undefined;
    this.#named = new Map();
    for (const [name, publication] of Object.entries(named ?? {})) this.publish(name, publication);
  }

  /** In the place of what stood there. */
  publish(name: string, publication: Publication): void {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name) || name === "openapi.json") {
      throw new GatewayError(
        "GATEWAY_INVALID",
        `An agent is published as 1 to 128 of a-z, A-Z, 0-9, ., _ and -; not ${JSON.stringify(name)}.`,
      );
    }
    this.#withdrawn.delete(name);
    this.#named.set(name, publication);
  }

  /** Its sessions go on; they are not reached through the gateway any more. */
  withdraw(name: string): boolean {
    const stood = this.#named.delete(name);
    const hides = this.#open && !this.#withdrawn.has(name);
    if (hides) this.#withdrawn.add(name);
    return stood || hides;
  }

  /** Throws kind `not_found` where nothing stands. */
  resolve(name: string): Publication {
    const publication =
      this.#named.get(name) ?? (this.#open && !this.#withdrawn.has(name) ? { agent: name } : undefined);
    if (publication !== undefined) return publication;
    throw new GatewayError("GATEWAY_NOT_FOUND", `There is no agent ${JSON.stringify(name.slice(0, 128))}.`);
  }

  async list(context: CallContext, cursor?: string): Promise<Page<AgentDescription>> {
    if (!this.#open) return { items: this.#ours(await this.#all(context)) };
    const page = await this.#sessions.agents(context, cursor === undefined ? {} : { cursor });
    const own = page.items.filter(({ name }) => !this.#named.has(name) && !this.#withdrawn.has(name));
    const ours = cursor === undefined && this.#named.size > 0 ? this.#ours(await this.#all(context)) : [];
    return { ...page, items: [...ours, ...own] };
  }

  #ours(known: readonly AgentDescription[]): readonly AgentDescription[] {
    return [...this.#named].flatMap(([name, { agent, qualifier, description }]) => {
      const found = known.findLast((each) => each.name === agent && (qualifier ?? each.version) === each.version);
      return found === undefined ? [] : [{ ...found, name, ...(description === undefined ? {} : { description }) }];
    });
  }

  async #all(context: CallContext): Promise<readonly AgentDescription[]> {
    const found: AgentDescription[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#sessions.agents(context, cursor === undefined ? {} : { cursor });
      found.push(...page.items);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return found;
  }
}
