import type { Gateway, Target, TargetFactory } from "@ashlar/gateway";
import { type AgentCatalog, RuntimeError } from "@ashlar/runtime";
import type { AgentDefinition, TargetDefinition } from "./definition.ts";
import type { Definitions } from "./definition-folder.ts";
import type { ReloadedTransport } from "./reloaded-transport.ts";

export interface LoaderDeps {
  readonly gateway: Gateway;
  readonly agents: AgentCatalog<AgentDefinition>;
  /** Whose the agents are. */
  readonly tenant: string;
  readonly transport: ReloadedTransport;
  readonly target: (name: string, definition: TargetDefinition) => Promise<Target | TargetFactory>;
  readonly say: (line: string) => void;
}

/** For calls under way to a target that is replaced or gone. */
const PATIENCE_MS = 30_000;

/** Puts definitions into force: those of the start, and what changes while the server runs. */
export class Loader {
  readonly #deps: LoaderDeps;
  readonly #targets = new Map<string, string>();
  readonly #versions = new Map<string, number>();
  #applying: Promise<unknown> = Promise.resolve();

  constructor(deps: LoaderDeps) {
    this.#deps = deps;
  }

  /** Gives a sentence about each definition that could not be put into force; all others are. */
  apply(definitions: Definitions): Promise<readonly string[]> {
    const applied = this.#applying.then(async () => {
      const problems = await this.#applyTargets(definitions);
      await this.#applyAgents(definitions);
      return problems;
    });
    this.#applying = applied.catch(() => {});
    return applied;
  }

  async #applyTargets({ targets }: Definitions): Promise<readonly string[]> {
    const { gateway, transport, say } = this.#deps;
    const problems: string[] = [];
    transport.allow([...targets.values()].flatMap(hostsOf));
    for (const name of this.#targets.keys()) {
      if (targets.has(name)) continue;
      await gateway.removeTarget(name, { signal: AbortSignal.timeout(PATIENCE_MS) });
      this.#targets.delete(name);
      say(`target ${name} is gone`);
    }
    for (const [name, definition] of targets) {
      const text = JSON.stringify(definition);
      if (this.#targets.get(name) === text) continue;
      try {
        await gateway.replaceTarget(await this.#deps.target(name, definition), {
          signal: AbortSignal.timeout(PATIENCE_MS),
        });
        this.#targets.set(name, text);
        say(`target ${name} (${definition.kind})`);
      } catch (error) {
        problems.push(`targets/${name}.yaml is not used: ${(error as Error).message}`);
      }
    }
    return problems;
  }

  async #applyAgents({ agents }: Definitions): Promise<void> {
    const { say, tenant } = this.#deps;
    for (const [name, definition] of agents) {
      const version = await this.#version(name, definition);
      if (this.#versions.get(name) !== version) say(`agent ${name}, version ${version}`);
      this.#versions.set(name, version);
    }
    const context = { principal: { tenant } };
    for (let cursor: string | undefined; ; ) {
      const page = await this.#deps.agents.list(context, cursor === undefined ? {} : { cursor });
      for (const { name } of page.items.filter((each) => !agents.has(each.name))) {
        await this.#deps.agents.archive(context, name, Date.now());
        this.#versions.delete(name);
        say(`agent ${name} is gone`);
      }
      cursor = page.cursor;
      if (cursor === undefined) return;
    }
  }

  /** The newest version when it says the same and is in use; a new one otherwise. */
  async #version(name: string, definition: AgentDefinition): Promise<number> {
    const { agents, tenant } = this.#deps;
    const context = { principal: { tenant } };
    const newest = await agents.get(context, name);
    const same = newest !== undefined && JSON.stringify(newest.definition) === JSON.stringify(definition);
    if (same && (await agents.find(context, name)) !== undefined) return newest.version;
    try {
      return (await agents.put(context, name, definition, { expected: newest?.version ?? 0 })).version;
    } catch (error) {
      const another = RuntimeError.is(error) && error.code === "RUNTIME_CONFLICT";
      if (another) return this.#version(name, definition); // a server beside this one was first
      throw error;
    }
  }
}

/** Hosts that an operator named in a definition: these may be private. */
function hostsOf(definition: TargetDefinition): readonly string[] {
  const { url, base_url, document } = definition as { readonly [key: string]: unknown };
  return [url, base_url, document].flatMap((each) =>
    typeof each === "string" && URL.canParse(each) && /^https?:/.test(each) ? [new URL(each).host] : [],
  );
}
