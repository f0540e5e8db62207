import { z } from "zod";
import type { Catalog, CatalogEntry } from "./catalog.ts";
import type { CallContext, Json, Page } from "./dialect.ts";
import { RuntimeError } from "./errors.ts";
import type { HostedLimits, SessionHost } from "./session-host.ts";

/** Where the programs of sessions run: a versioned document, so that a change is seen and can be gone back on. */
export interface EnvironmentDefinition {
  readonly description?: string;
  /** One of the hosts that this runtime was given, by name. */
  readonly host: string;
  /** Variables of the programs. They stand in the catalog: no secrets. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly limits?: HostedLimits;
  /** Keep the files of each session. */
  readonly workspace?: boolean;
  readonly idleTimeoutMs?: number;
  readonly maxLifeMs?: number;
}

export interface Environment extends EnvironmentDefinition {
  readonly name: string;
  readonly version: number;
}

export interface EnvironmentsDeps {
  readonly catalog: Catalog;
  readonly hosts: Readonly<Record<string, SessionHost>>;
}

const KIND = "environment";
const amount = z.number().positive();
const definition = z.strictObject({
  description: z.string().optional(),
  host: z.string().min(1),
  variables: z.record(z.string(), z.string()).optional(),
  limits: z
    .strictObject({
      memoryMiB: amount.optional(),
      cpus: amount.optional(),
      cpuSeconds: amount.optional(),
      processes: amount.optional(),
      diskMiB: amount.optional(),
      lifetimeMs: amount.optional(),
    })
    .optional(),
  workspace: z.boolean().optional(),
  idleTimeoutMs: z.number().min(0).optional(),
  maxLifeMs: amount.optional(),
});

export class Environments {
  readonly #catalog: Catalog;
  readonly #hosts: ReadonlyMap<string, SessionHost>;

  constructor({ catalog, hosts }: EnvironmentsDeps) {
    this.#catalog = catalog;
    this.#hosts = new Map(Object.entries(hosts));
  }

  /** Makes a version. One that does not parse, or names a host that is not here, is `RUNTIME_INVALID`. */
  async put(
    context: CallContext,
    name: string,
    given: EnvironmentDefinition,
    options: { readonly expected?: number } = {},
  ): Promise<Environment> {
    const parsed = definition.safeParse(given);
    if (!parsed.success) {
      throw new RuntimeError("RUNTIME_INVALID", `Environment ${name}: ${z.prettifyError(parsed.error)}`);
    }
    this.#host(name, parsed.data.host);
    return environmentOf(await this.#catalog.put(context, KIND, name, parsed.data as Json, options));
  }

  async get(context: CallContext, name: string, version?: number): Promise<Environment | undefined> {
    const entry = await this.#catalog.get(context, KIND, name, version);
    return entry === undefined ? undefined : environmentOf(entry);
  }

  async list(
    context: CallContext,
    query: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<Environment>> {
    const page = await this.#catalog.list(context, KIND, query);
    return { ...page, items: page.items.map(environmentOf) };
  }

  async delete(context: CallContext, name: string): Promise<void> {
    await this.#catalog.delete(context, KIND, name);
  }

  /** For `hostedAgent`: the newest version of the environment, looked up for each turn. */
  at(
    name: string,
  ): (
    context: CallContext,
  ) => Promise<Omit<EnvironmentDefinition, "host"> & { readonly host: SessionHost; readonly environment: string }> {
    return async (context) => {
      const found = await this.get(context, name);
      if (found === undefined) throw new RuntimeError("RUNTIME_NOT_FOUND", `There is no environment ${name}.`);
      return { ...found, host: this.#host(name, found.host), environment: `${name}@${found.version}` };
    };
  }

  #host(environment: string, name: string): SessionHost {
    const host = this.#hosts.get(name);
    if (host !== undefined) return host;
    const known = [...this.#hosts.keys()].join(", ");
    throw new RuntimeError("RUNTIME_INVALID", `Environment ${environment} names the host ${name}; here are: ${known}.`);
  }
}

const environmentOf = ({ name, version, body }: CatalogEntry): Environment => ({
  ...(body as unknown as EnvironmentDefinition),
  name,
  version,
});
