import type { CallContext, Clock, Json } from "../dialect.ts";
import { canonicalDigest } from "../internal/canonical-digest.ts";
import type { Target, TargetFactory } from "../target.ts";
import type { ToolResult } from "../tool-source.ts";

export interface CacheRule {
  /** 0 keeps nothing, but calls at one time still share one answer. */
  readonly ttlMs: number;
  /** Who may see one another's answers: nobody, or all of a tenant. Default `"principal"`. */
  readonly scope?: "principal" | "tenant";
}

export interface CacheOptions {
  /** By tool: only tools that change nothing belong here. */
  readonly tools: Readonly<Record<string, CacheRule>>;
  /** Default 1,000; the oldest goes first. */
  readonly maxEntries?: number;
}

interface Entry {
  readonly result: Promise<ToolResult>;
  /** Unknown while it is under way. */
  until?: number;
}

/** Answers of reading tools, kept for a while; equal calls at one time become one. Failures are not kept. */
export const cached =
  (target: Target | TargetFactory, options: CacheOptions): TargetFactory =>
  (parts) =>
    new CachedTarget(typeof target === "function" ? target(parts) : target, options, parts.clock);

class CachedTarget implements Target {
  readonly name: string;
  readonly #target: Target;
  readonly #tools: ReadonlyMap<string, CacheRule>;
  readonly #maxEntries: number;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(target: Target, { tools, maxEntries = 1000 }: CacheOptions, clock: Clock) {
    this.name = target.name;
    this.#target = target;
    this.#tools = new Map(Object.entries(tools));
    this.#maxEntries = maxEntries;
    this.#clock = clock;
  }

  list(context: CallContext): ReturnType<Target["list"]> {
    return this.#target.list(context);
  }

  call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    const rule = this.#tools.get(name);
    if (rule === undefined) return this.#target.call(context, name, args);
    const key = keyOf(context, rule, name, args);
    const found = this.#entries.get(key);
    if (found !== undefined && (found.until === undefined || found.until > this.#clock.now())) return found.result;
    const { signal: _, ...shared } = context;
    const entry: Entry = { result: this.#target.call(shared, name, args) };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#maxEntries && oldest !== undefined) this.#entries.delete(oldest);
    const forget = () => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    entry.result.then((result) => {
      if (result.isError === true || rule.ttlMs <= 0) return forget();
      entry.until = this.#clock.now() + rule.ttlMs;
    }, forget);
    return entry.result;
  }

  async close(): Promise<void> {
    this.#entries.clear();
    await this.#target.close?.();
  }
}

function keyOf({ principal }: CallContext, { scope = "principal" }: CacheRule, name: string, args: Json): string {
  const { tenant, user = null, agent = null, agentVersion = null, session = null } = principal;
  return canonicalDigest([scope === "tenant" ? [tenant] : [tenant, user, agent, agentVersion, session], name, args]);
}
