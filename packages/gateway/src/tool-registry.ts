import { setImmediate as nextTurn } from "node:timers/promises";
import type { CallContext, Json } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { Leases } from "./internal/leases.ts";
import type { Target } from "./target.ts";
import type { ToolAccess } from "./tool-access.ts";
import type { ToolCatalog } from "./tool-catalog.ts";
import { isAlias, isTargetName, prefixedName, SEPARATOR } from "./tool-names.ts";
import type { ToolDescription, ToolResult, ToolSource } from "./tool-source.ts";

export interface ResolvedTool {
  readonly target: Target;
  /** As the target itself calls it. */
  readonly tool: string;
}

export interface ToolRegistryDeps {
  readonly access: ToolAccess;
  readonly catalog: ToolCatalog;
  readonly leases: Leases<Target>;
  /** `target___tool` by the name under which it is offered instead. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Whether a message to a single MCP server may go through as it is. */
  readonly transparent?: boolean;
}

/** The targets of one gateway and the names under which their tools are offered. */
export class ToolRegistry implements ToolSource {
  readonly #targets = new Map<string, Target>();
  readonly #access: ToolAccess;
  readonly #catalog: ToolCatalog;
  readonly #leases: Leases<Target>;
  readonly #transparent: boolean;
  readonly #aliases: ReadonlyMap<string, string>;
  readonly #aliasOf: ReadonlyMap<string, string>;
  /** Names that had to be shortened, and so do not say by themselves what they mean. */
  readonly #shortened = new Map<string, ResolvedTool>();
  readonly #descriptions = new WeakMap<ToolDescription, ToolDescription>();

  constructor({ access, catalog, leases, aliases = {}, transparent = true }: ToolRegistryDeps) {
    const wrong = Object.entries(aliases).find(([alias, name]) => !isAlias(alias) || !name.includes(SEPARATOR));
    if (wrong !== undefined) {
      throw new GatewayError(
        "GATEWAY_INVALID",
        `Alias ${JSON.stringify(wrong[0])}: 1 to 64 of a-z, A-Z, 0-9, _ and -, without ${SEPARATOR}, for a target${SEPARATOR}tool.`,
      );
    }
    this.#access = access;
    this.#catalog = catalog;
    this.#leases = leases;
    this.#transparent = transparent;
    this.#aliases = new Map(Object.entries(aliases));
    this.#aliasOf = new Map(Object.entries(aliases).map(([alias, name]) => [name, alias]));
  }

  get targets(): readonly Target[] {
    return [...this.#targets.values()];
  }

  /** The target to which messages go through as they are: there is only one, and it speaks MCP. */
  get passThrough(): Target | undefined {
    const [only] = this.#targets.values();
    const through = this.#transparent && this.#aliases.size === 0 && this.#targets.size === 1;
    return through && only?.forward !== undefined ? only : undefined;
  }

  target(name: string): Target | undefined {
    return this.#targets.get(name);
  }

  add(target: Target): void {
    if (this.#targets.has(target.name)) {
      throw new GatewayError("GATEWAY_CONFLICT", `There is a target named ${target.name} already: remove it first.`);
    }
    this.#put(target);
  }

  /** Takes its tools away at once; closes it when the calls under way have ended, or the signal aborts. */
  async remove(name: string, signal?: AbortSignal): Promise<boolean> {
    const target = this.#targets.get(name);
    this.#targets.delete(name);
    this.#shortened.clear();
    await this.#retire(target, signal);
    return target !== undefined;
  }

  /** New calls get this one at once; the old one of its name is closed like one that was removed. */
  async replace(target: Target, signal?: AbortSignal): Promise<void> {
    const old = this.#targets.get(target.name);
    this.#put(target);
    if (old !== target) await this.#retire(old, signal);
  }

  #put(target: Target): void {
    if (!isTargetName(target.name)) {
      throw new GatewayError(
        "GATEWAY_INVALID",
        `A target is named by 1 to 32 of a-z, A-Z, 0-9, _ and -, without ${SEPARATOR}; not ${JSON.stringify(target.name)}.`,
      );
    }
    this.#targets.set(target.name, target);
    this.#shortened.clear();
  }

  async #retire(target: Target | undefined, signal?: AbortSignal): Promise<void> {
    if (target?.close === undefined) return;
    await nextTurn(); // a call that was just resolved to it takes its lease first
    await this.#leases.idle(target, signal);
    await target.close();
  }

  async list(context: CallContext): Promise<readonly ToolDescription[]> {
    const targets = this.targets;
    const lists = await Promise.all(
      targets.map(async (target) => ({ target, tools: await this.#catalog.list(context, target) })),
    );
    if (targets.length === 1 && this.#aliases.size === 0) return lists[0]?.tools ?? [];
    const offered = lists.flatMap(({ target, tools }) =>
      tools.map((tool) => {
        const alias = this.#aliasOf.get(target.name + SEPARATOR + tool.name);
        return { tool, alias, name: alias ?? this.#nameOf(target, tool) };
      }),
    );
    return offered
      .filter(({ name, alias }) => alias !== undefined || !this.#aliases.has(name))
      .map(({ tool, name }) => this.#renamed(tool, name));
  }

  #nameOf(target: Target, { name: tool }: ToolDescription): string {
    if (this.#targets.size === 1) return tool;
    const name = prefixedName(target.name, tool);
    if (name !== target.name + SEPARATOR + tool) this.#shortened.set(name, { target, tool });
    return name;
  }

  /** The same object for the same tool, so that whoever indexes a list can tell that it has not changed. */
  #renamed(tool: ToolDescription, name: string): ToolDescription {
    let renamed = this.#descriptions.get(tool);
    if (renamed?.name !== name) {
      renamed = { ...tool, name };
      this.#descriptions.set(tool, renamed);
    }
    return renamed;
  }

  async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    const { target, tool } = await this.resolve(context, name);
    return this.#access.call(context, target, tool, args);
  }

  async resolve(context: CallContext, name: string): Promise<ResolvedTool> {
    const meant = this.#aliases.get(name);
    if (meant !== undefined) {
      const [prefix = "", ...tool] = meant.split(SEPARATOR);
      const target = this.#targets.get(prefix);
      if (target === undefined) throw unknownTool(name);
      return { target, tool: tool.join(SEPARATOR) };
    }
    const [only] = this.#targets.values();
    if (this.#targets.size === 1 && only !== undefined) return { target: only, tool: name };
    const split = name.indexOf(SEPARATOR);
    const target = this.#targets.get(name.slice(0, Math.max(0, split)));
    if (target === undefined) throw unknownTool(name);
    if (!this.#shortened.has(name) && name.length === 64) await this.list(context);
    return this.#shortened.get(name) ?? { target, tool: name.slice(split + SEPARATOR.length) };
  }

  async close(): Promise<void> {
    const now = AbortSignal.abort();
    await Promise.all(this.targets.map(({ name }) => this.remove(name, now)));
  }
}

export const unknownTool = (name: string): GatewayError =>
  new GatewayError("GATEWAY_NOT_FOUND", `There is no tool named ${JSON.stringify(name.slice(0, 128))}.`);
