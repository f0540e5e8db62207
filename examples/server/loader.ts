import type { Gateway, Target, TargetFactory } from "@ashlar/gateway";
import type { Agent, Runtime } from "@ashlar/runtime";
import type { AgentVersions, VersionedAgent } from "./agent-versions.ts";
import type { TargetDefinition } from "./definition.ts";
import type { Definitions } from "./definition-folder.ts";
import type { PublishedAgents } from "./published-agents.ts";
import type { ReloadedTransport } from "./reloaded-transport.ts";

export interface LoaderDeps {
  readonly gateway: Gateway;
  readonly runtime: Runtime;
  readonly versions: AgentVersions;
  readonly published: PublishedAgents;
  readonly transport: ReloadedTransport;
  readonly target: (name: string, definition: TargetDefinition) => Promise<Target | TargetFactory>;
  readonly agent: (agent: VersionedAgent) => Promise<Agent>;
  readonly say: (line: string) => void;
}

/** For calls under way to a target that is replaced or gone. */
const PATIENCE_MS = 30_000;

/** Puts definitions into force: those of the start, and what changes while the server runs. */
export class Loader {
  readonly #deps: LoaderDeps;
  readonly #targets = new Map<string, string>();
  readonly #defined = new Set<string>();
  #applying: Promise<unknown> = Promise.resolve();

  constructor(deps: LoaderDeps) {
    this.#deps = deps;
  }

  /** Agents of earlier definitions, for sessions that were opened with them. */
  async restore(): Promise<void> {
    for await (const agent of this.#deps.versions.all()) await this.#define(agent);
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
    const current = new Map<string, string>();
    for (const [name, definition] of agents) {
      const version = await this.#deps.versions.version(name, definition);
      await this.#define({ name, version, definition });
      current.set(name, version);
    }
    const before = this.#deps.published.publish(current);
    for (const [name, version] of current) {
      if (before.get(name) !== version) this.#deps.say(`agent ${name}, version ${version}`);
    }
    for (const name of before.keys()) if (!current.has(name)) this.#deps.say(`agent ${name} is gone`);
  }

  async #define(agent: VersionedAgent): Promise<void> {
    const key = `${agent.name} ${agent.version}`;
    if (this.#defined.has(key)) return;
    this.#deps.runtime.define(await this.#deps.agent(agent));
    this.#defined.add(key);
  }
}

/** Hosts that an operator named in a definition: these may be private. */
function hostsOf(definition: TargetDefinition): readonly string[] {
  const { url, base_url, document } = definition as { readonly [key: string]: unknown };
  return [url, base_url, document].flatMap((each) =>
    typeof each === "string" && URL.canParse(each) && /^https?:/.test(each) ? [new URL(each).host] : [],
  );
}
