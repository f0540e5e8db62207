import type { CallContext, Clock, Json } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { Permissions } from "./permissions.ts";
import type { Target } from "./target.ts";
import { toolDigest } from "./tool-digest.ts";
import type { ToolDescription } from "./tool-source.ts";

export interface ToolCatalogDeps {
  readonly clock: Clock;
  readonly permissions?: Permissions | undefined;
  readonly listing: "all" | "permitted";
  readonly pinned: Readonly<Record<string, string>>;
}

type Check = (args: Json) => void;

interface Known {
  readonly tools: Promise<readonly ToolDescription[]>;
  readonly until: number;
}

const KEPT_MS = 60_000;
const MAX_LISTS = 1000;

/** What the targets say of their tools: shown to a caller as far as he may see it, and held against calls. */
export class ToolCatalog {
  readonly #clock: Clock;
  readonly #permissions: Permissions | undefined;
  readonly #listing: "all" | "permitted";
  readonly #pinned: Readonly<Record<string, string>>;
  readonly #lists = new WeakMap<Target, Map<string, Known>>();
  readonly #checks = new WeakMap<object, Promise<Check>>();

  constructor({ clock, permissions, listing, pinned }: ToolCatalogDeps) {
    this.#clock = clock;
    this.#permissions = permissions;
    this.#listing = listing;
    this.#pinned = pinned;
  }

  /** Tools whose pinned description has changed are not shown; nor, where asked for, those that may not be used. */
  async list(context: CallContext, target: Target): Promise<readonly ToolDescription[]> {
    const tools = (await target.list(context)).filter((tool) => this.#asPinned(target, tool));
    const permissions = this.#permissions;
    if (this.#listing === "all" || permissions === undefined) return tools;
    const seen = await Promise.all(
      tools.map(async (tool) => {
        const resource = `${target.name}/${tool.name}`;
        try {
          return (await permissions.decide(context, { action: "tool.list", resource })).effect !== "deny";
        } catch {
          return false;
        }
      }),
    );
    return tools.filter((_, index) => seen[index]);
  }

  pins(target: Target, name: string): boolean {
    return Object.hasOwn(this.#pinned, `${target.name}/${name}`);
  }

  /** Throws kind `denied` when the tool is no longer the one that was pinned. */
  async requirePinned(context: CallContext, target: Target, name: string): Promise<void> {
    const tool = (await target.list(context)).find((each) => each.name === name);
    if (tool !== undefined && this.#asPinned(target, tool)) return;
    throw new GatewayError(
      "GATEWAY_DENIED",
      `${target.name}/${name} is not what was approved: its description changed.`,
    );
  }

  /** Throws kind `invalid` when the arguments do not fit the tool's schema. A tool that is not listed is not checked. */
  async checkArguments(context: CallContext, target: Target, name: string, args: Json): Promise<void> {
    const tools = await this.#known(context, target);
    const tool = tools.find((each) => each.name === name);
    if (tool === undefined) return;
    let check = this.#checks.get(tool);
    if (check === undefined) {
      check = import("./openapi/validator.ts").then(({ argumentValidator }) =>
        argumentValidator(name, tool.inputSchema),
      );
      this.#checks.set(tool, check);
    }
    const run = await check.catch((cause: unknown) => {
      throw new GatewayError("GATEWAY_TARGET_FAILED", `The schema of ${target.name}/${name} cannot be used.`, {
        cause,
      });
    });
    run(args);
  }

  #known(context: CallContext, target: Target): Promise<readonly ToolDescription[]> {
    const { tenant, user, agent, session } = context.principal;
    const key = JSON.stringify([tenant, user, agent, session]);
    let lists = this.#lists.get(target);
    if (lists === undefined || lists.size >= MAX_LISTS) {
      lists = new Map();
      this.#lists.set(target, lists);
    }
    const now = this.#clock.now();
    const known = lists.get(key);
    if (known !== undefined && known.until > now) return known.tools;
    const tools = target.list(context);
    lists.set(key, { tools, until: now + KEPT_MS });
    tools.catch(() => lists.delete(key));
    return tools;
  }

  #asPinned(target: Target, tool: ToolDescription): boolean {
    return !this.pins(target, tool.name) || this.#pinned[`${target.name}/${tool.name}`] === toolDigest(tool);
  }
}
