import type { CallContext, Catalog, Json } from "@ashlar/runtime";
import { type AgentDefinition, agentDefinition } from "./definition.ts";

const KIND = "server.agent";

export interface VersionedAgent {
  readonly name: string;
  readonly version: string;
  readonly definition: AgentDefinition;
}

/** Every definition that an agent has had, so that a session goes on with the one it was opened with. */
export class AgentVersions {
  readonly #catalog: Catalog;
  readonly #context: CallContext;

  constructor({ catalog, tenant }: { readonly catalog: Catalog; readonly tenant: string }) {
    this.#catalog = catalog;
    this.#context = { principal: { tenant } };
  }

  /** The newest version when it says the same; a new one otherwise. */
  async version(name: string, definition: AgentDefinition): Promise<string> {
    const body = definition as Json;
    const newest = await this.#catalog.get(this.#context, KIND, name);
    if (newest !== undefined && JSON.stringify(newest.body) === JSON.stringify(body)) return String(newest.version);
    const { version } = await this.#catalog.put(this.#context, KIND, name, body);
    return String(version);
  }

  async *all(): AsyncGenerator<VersionedAgent> {
    for await (const { name } of pages((cursor) => this.#catalog.list(this.#context, KIND, cursor))) {
      const versions = pages((cursor) => this.#catalog.versions(this.#context, KIND, name, cursor));
      for await (const { version, body } of versions) {
        const { data } = agentDefinition.safeParse(body);
        if (data !== undefined) yield { name, version: String(version), definition: data };
      }
    }
  }
}

async function* pages<T>(
  page: (from: { cursor?: string }) => Promise<{ readonly items: readonly T[]; readonly cursor?: string }>,
): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const found = await page(cursor === undefined ? {} : { cursor });
    yield* found.items;
    cursor = found.cursor;
  } while (cursor !== undefined);
}
