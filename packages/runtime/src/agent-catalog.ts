import { z } from "zod";
import type { Agent } from "./agent.ts";
import type { AgentListing, AgentSource } from "./agent-source.ts";
import type { Catalog, CatalogEntry } from "./catalog.ts";
import type { CallContext, Json, Page } from "./dialect.ts";
import { RuntimeError } from "./errors.ts";

/** What the catalog's agents are made of; `loopAgents` of `./ai` is one. */
export interface AgentFactory<Definition> {
  /** The definition as it is kept. Throws, saying why, when it does not parse or names what is not here. */
  parse(given: unknown): Definition;
  build(definition: Definition, named: { readonly name: string; readonly version: string }): Agent;
}

export interface AgentCatalogDeps<Definition> {
  readonly catalog: Catalog;
  readonly factory: AgentFactory<Definition>;
}

export interface CataloguedAgent<Definition> {
  readonly name: string;
  readonly version: number;
  readonly at: number;
  readonly definition: Definition;
}

const AGENT = "agent";
const ENDPOINTS = "agent_endpoints";
const named = z.string().regex(/^[\w.-]{1,64}$/, "1 to 64 of A-Z a-z 0-9 _ . -");
const endpointName = named.regex(/\D/, "not a number: that would be a version");
const endpoints = z.object({ versions: z.record(z.string(), z.number()), archivedAt: z.number().optional() });
type Endpoints = z.infer<typeof endpoints>;

/** Agents built and not yet forgotten; a version never changes. */
const MOST_BUILT = 1_000;

/**
 * Agents as documents: each change is a new version, endpoints are names that point at one. A session keeps the version
 * that it was opened with, whatever becomes of the endpoint.
 */
export class AgentCatalog<Definition> implements AgentSource {
  readonly #catalog: Catalog;
  readonly #factory: AgentFactory<Definition>;
  readonly #built = new Map<string, Agent>();

  constructor({ catalog, factory }: AgentCatalogDeps<Definition>) {
    this.#catalog = catalog;
    this.#factory = factory;
  }

  /** Makes a version. With `expected` only if the newest is that one (0: the name is new), else `RUNTIME_CONFLICT`. */
  async put(
    context: CallContext,
    name: string,
    given: unknown,
    options: { readonly expected?: number } = {},
  ): Promise<CataloguedAgent<Definition>> {
    check(named, name, "agent's name");
    const definition = this.#parsed(name, given);
    this.#factory.build(definition, { name, version: "0" });
    const entry = await this.#catalog.put(context, AGENT, name, definition as Json, options);
    await this.#change(context, name, ({ archivedAt: _, ...rest }) => rest);
    return this.#agent(entry);
  }

  async get(context: CallContext, name: string, qualifier?: string): Promise<CataloguedAgent<Definition> | undefined> {
    const entry = await this.#entry(context, name, qualifier);
    return entry === undefined ? undefined : this.#agent(entry);
  }

  async versions(
    context: CallContext,
    name: string,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<CataloguedAgent<Definition>>> {
    const page = await this.#catalog.versions(context, AGENT, name, query);
    return { ...page, items: page.items.map((entry) => this.#agent(entry)) };
  }

  /** Points an endpoint at a version: the next session that is opened by its name gets that one. */
  async point(context: CallContext, name: string, endpoint: string, version: number): Promise<void> {
    check(endpointName, endpoint, "endpoint's name");
    if ((await this.#catalog.get(context, AGENT, name, version)) === undefined) throw unknown(name, version);
    await this.#change(context, name, (now) => ({ ...now, versions: { ...now.versions, [endpoint]: version } }));
  }

  async endpoints(context: CallContext, name: string): Promise<Readonly<Record<string, number>>> {
    return (await this.#endpoints(context, name)).body.versions;
  }

  /** No new sessions; those that are there go on. A new version ends it. */
  async archive(context: CallContext, name: string, at: number): Promise<void> {
    if ((await this.#catalog.get(context, AGENT, name)) === undefined) throw unknown(name);
    await this.#change(context, name, (now) => ({ ...now, archivedAt: at }));
  }

  async find(context: CallContext, name: string, qualifier?: string): Promise<Agent | undefined> {
    const pinned = qualifier !== undefined && /^\d+$/.test(qualifier);
    if (!pinned && (await this.#endpoints(context, name)).body.archivedAt !== undefined) return undefined;
    const entry = await this.#entry(context, name, qualifier);
    if (entry === undefined) return undefined;
    const key = JSON.stringify([context.principal.tenant, name, entry.version]);
    const known = this.#built.get(key);
    if (known !== undefined) return known;
    const agent = this.#factory.build(this.#parsed(name, entry.body), { name, version: String(entry.version) });
    const [oldest] = this.#built.keys();
    if (this.#built.size >= MOST_BUILT && oldest !== undefined) {
      await this.#built.get(oldest)?.close?.();
      this.#built.delete(oldest);
    }
    this.#built.set(key, agent);
    return agent;
  }

  async list(
    context: CallContext,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<AgentListing>> {
    const page = await this.#catalog.list(context, AGENT, query);
    const archived = await Promise.all(
      page.items.map(async ({ name }) => (await this.#endpoints(context, name)).body.archivedAt !== undefined),
    );
    const items = page.items.filter((_, index) => archived[index] === false).map((entry) => listing(entry));
    return { ...page, items };
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#built.values()].map((agent) => agent.close?.()));
    this.#built.clear();
  }

  async #entry(context: CallContext, name: string, qualifier?: string): Promise<CatalogEntry | undefined> {
    if (qualifier === undefined) return this.#catalog.get(context, AGENT, name);
    const version = /^\d+$/.test(qualifier)
      ? Number(qualifier)
      : (await this.#endpoints(context, name)).body.versions[qualifier];
    return version === undefined ? undefined : this.#catalog.get(context, AGENT, name, version);
  }

  async #endpoints(
    context: CallContext,
    name: string,
  ): Promise<{ readonly version: number; readonly body: Endpoints }> {
    const entry = await this.#catalog.get(context, ENDPOINTS, name);
    return { version: entry?.version ?? 0, body: endpoints.parse(entry?.body ?? { versions: {} }) };
  }

  async #change(context: CallContext, name: string, change: (now: Endpoints) => Endpoints): Promise<void> {
    for (;;) {
      const { version, body } = await this.#endpoints(context, name);
      const next = change(body);
      if (JSON.stringify(next) === JSON.stringify(body)) return;
      try {
        const options = { expected: version, history: false };
        await this.#catalog.put(context, ENDPOINTS, name, next as Json, options);
        return;
      } catch (error) {
        if (!(RuntimeError.is(error) && error.code === "RUNTIME_CONFLICT")) throw error;
      }
    }
  }

  #agent({ name, version, at, body }: CatalogEntry): CataloguedAgent<Definition> {
    return { name, version, at, definition: body as Definition };
  }

  #parsed(name: string, given: unknown): Definition {
    try {
      return this.#factory.parse(given);
    } catch (cause) {
      if (RuntimeError.is(cause)) throw cause;
      const why = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
      throw new RuntimeError("RUNTIME_INVALID", `The definition of agent ${name} does not parse: ${why}`, { cause });
    }
  }
}

function listing({ name, version, body }: CatalogEntry): AgentListing {
  const { description } = (body ?? {}) as { readonly description?: unknown };
  return { name, version: String(version), ...(typeof description === "string" ? { description } : {}) };
}

function check(schema: z.ZodString, value: string, what: string): void {
  const parsed = schema.safeParse(value);
  if (parsed.success) return;
  throw new RuntimeError(
    "RUNTIME_INVALID",
    `${JSON.stringify(value)} is no ${what}: ${parsed.error.issues[0]?.message}.`,
  );
}

const unknown = (name: string, version?: number): RuntimeError =>
  new RuntimeError(
    "RUNTIME_NOT_FOUND",
    `There is no agent ${name}${version === undefined ? "" : ` in version ${version}`}. Put it first.`,
  );
