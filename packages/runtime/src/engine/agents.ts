import type { Agent } from "../agent.ts";
import type { AgentListing, AgentSource } from "../agent-source.ts";
import type { CallContext, Page } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";

export const versionOf = ({ version = "1" }: Agent): string => version;

/** The agents of this process: those defined in code, for every tenant, then those of the source. */
export class Agents {
  readonly #defined: Agent[] = [];
  readonly #source: AgentSource | undefined;

  constructor({ source }: { readonly source?: AgentSource | undefined }) {
    this.#source = source;
  }

  define(agent: Agent): void {
    const version = versionOf(agent);
    if (!/^[\w.-]{1,64}$/.test(agent.name)) {
      throw new RuntimeError(
        "RUNTIME_INVALID",
        `${JSON.stringify(agent.name)} is no agent's name: 1 to 64 of A-Z a-z 0-9 _ . -`,
      );
    }
    if (this.#defined.some((each) => each.name === agent.name && versionOf(each) === version)) {
      throw new RuntimeError(
        "RUNTIME_CONFLICT",
        `Agent ${agent.name} version ${version} is defined already: give the new one another version.`,
      );
    }
    this.#defined.push(agent);
  }

  async find(context: CallContext, name: string, qualifier?: string): Promise<Agent | undefined> {
    const ours = this.#defined.findLast(
      (each) => each.name === name && (qualifier === undefined || qualifier === versionOf(each)),
    );
    return ours ?? this.#source?.find(context, name, qualifier);
  }

  async list(context: CallContext, query: { readonly cursor?: string } = {}): Promise<Page<AgentListing>> {
    const ours = this.#defined.map((agent) => listing(agent));
    const page = (await this.#source?.list(context, query)) ?? { items: [] };
    return query.cursor === undefined ? { ...page, items: [...ours, ...page.items] } : page;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#defined.map((agent) => agent.close?.()), this.#source?.close?.()]);
  }
}

const listing = (agent: Agent): AgentListing => ({
  name: agent.name,
  version: versionOf(agent),
  ...(agent.description === undefined ? {} : { description: agent.description }),
});
