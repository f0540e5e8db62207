import type { CallContext, Json } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { Target } from "./target.ts";
import type { ToolAccess } from "./tool-access.ts";
import { isTargetName, prefixedName, SEPARATOR } from "./tool-names.ts";
import type { ToolDescription, ToolResult, ToolSource } from "./tool-source.ts";

export interface ResolvedTool {
  readonly target: Target;
  /** As the target itself calls it. */
  readonly tool: string;
}

/** The targets of one gateway and the names under which their tools are offered. */
export class ToolRegistry implements ToolSource {
  readonly #targets = new Map<string, Target>();
  readonly #access: ToolAccess;
  /** Names that had to be shortened, and so do not say by themselves what they mean. */
  readonly #shortened = new Map<string, ResolvedTool>();
  readonly #descriptions = new WeakMap<ToolDescription, ToolDescription>();

  constructor({ access }: { readonly access: ToolAccess }) {
    this.#access = access;
  }

  get targets(): readonly Target[] {
    return [...this.#targets.values()];
  }

  /** The target to which messages go through as they are: there is only one, and it speaks MCP. */
  get passThrough(): Target | undefined {
    const [only] = this.#targets.values();
    return this.#targets.size === 1 && only?.forward !== undefined ? only : undefined;
  }

  target(name: string): Target | undefined {
    return this.#targets.get(name);
  }

  add(target: Target): void {
    if (!isTargetName(target.name)) {
      throw new GatewayError(
        "GATEWAY_INVALID",
        `A target is named by 1 to 32 of a-z, A-Z, 0-9, _ and -, without ${SEPARATOR}; not ${JSON.stringify(target.name)}.`,
      );
    }
    if (this.#targets.has(target.name)) {
      throw new GatewayError("GATEWAY_CONFLICT", `There is a target named ${target.name} already: remove it first.`);
    }
    this.#targets.set(target.name, target);
    this.#shortened.clear();
  }

  async remove(name: string): Promise<boolean> {
    const target = this.#targets.get(name);
    this.#targets.delete(name);
    this.#shortened.clear();
    await target?.close?.();
    return target !== undefined;
  }

  async list(context: CallContext): Promise<readonly ToolDescription[]> {
    const targets = this.targets;
    const lists = await Promise.all(targets.map(async (target) => ({ target, tools: await target.list(context) })));
    if (targets.length === 1) return lists[0]?.tools ?? [];
    return lists.flatMap(({ target, tools }) =>
      tools.map((tool) => {
        const name = prefixedName(target.name, tool.name);
        if (name !== target.name + SEPARATOR + tool.name) this.#shortened.set(name, { target, tool: tool.name });
        return this.#renamed(tool, name);
      }),
    );
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
    return this.#access.run(context, target, tool, args, () => target.call(context, tool, args));
  }

  async resolve(context: CallContext, name: string): Promise<ResolvedTool> {
    const [only] = this.#targets.values();
    if (this.#targets.size === 1 && only !== undefined) return { target: only, tool: name };
    const split = name.indexOf(SEPARATOR);
    const target = this.#targets.get(name.slice(0, Math.max(0, split)));
    if (target === undefined) throw unknownTool(name);
    if (!this.#shortened.has(name) && name.length === 64) await this.list(context);
    return this.#shortened.get(name) ?? { target, tool: name.slice(split + SEPARATOR.length) };
  }

  async close(): Promise<void> {
    await Promise.all(this.targets.map((target) => this.remove(target.name)));
  }
}

export const unknownTool = (name: string): GatewayError =>
  new GatewayError("GATEWAY_NOT_FOUND", `There is no tool named ${JSON.stringify(name.slice(0, 128))}.`);
