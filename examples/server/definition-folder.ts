import { watch } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parse } from "yaml";
import type { z } from "zod";
import {
  type AgentDefinition,
  type AuthDefinition,
  agentDefinition,
  authDefinition,
  NAME,
  type PolicyDefinitions,
  policyDefinitions,
  type TargetDefinition,
  targetDefinition,
} from "./definition.ts";
import { UsageError } from "./options.ts";

export interface Definitions {
  readonly agents: ReadonlyMap<string, AgentDefinition>;
  readonly targets: ReadonlyMap<string, TargetDefinition>;
  readonly policies: PolicyDefinitions;
  readonly auth: AuthDefinition | undefined;
}

export interface Reading {
  readonly definitions: Definitions;
  /** One sentence for each file that could not be used; the last good reading of it stays in force. */
  readonly problems: readonly string[];
}

/** A folder of definitions, read whole each time. */
export class DefinitionFolder {
  readonly path: string;
  readonly #good = new Map<string, unknown>();

  constructor(path: string) {
    this.path = path;
  }

  async read(): Promise<Reading> {
    const problems: string[] = [];
    const agents = await this.#named("agents", agentDefinition, problems);
    const targets = await this.#named("targets", targetDefinition, problems);
    const policies = (await this.#file("policies.yaml", policyDefinitions, problems)) ?? [];
    const auth = await this.#file("auth.yaml", authDefinition, problems);
    return { definitions: { agents, targets, policies, auth }, problems };
  }

  /** Calls back when something below the folder has changed and then been quiet for a moment. */
  watch(changed: () => void): Disposable {
    let pending: NodeJS.Timeout | undefined;
    const watcher = watch(this.path, { recursive: true }, () => {
      clearTimeout(pending);
      pending = setTimeout(changed, 50);
    });
    return {
      [Symbol.dispose]() {
        clearTimeout(pending);
        watcher.close();
      },
    };
  }

  async #named<T>(kind: string, schema: z.ZodType<T>, problems: string[]): Promise<ReadonlyMap<string, T>> {
    const found = new Map<string, T>();
    const entries = await readdir(join(this.path, kind)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw new UsageError(`The definitions in ${join(this.path, kind)} cannot be read (${error.code}).`);
    });
    for (const entry of entries.filter((each) => each.endsWith(".yaml")).sort()) {
      const name = basename(entry, ".yaml");
      if (!NAME.test(name)) {
        problems.push(`${kind}/${entry} is passed over: a name is 1 to 32 of A-Z a-z 0-9 _ -`);
        continue;
      }
      const read = await this.#file(join(kind, entry), schema, problems);
      if (read !== undefined) found.set(name, read);
    }
    return found;
  }

  async #file<T>(name: string, schema: z.ZodType<T>, problems: string[]): Promise<T | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.path, name), "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") problems.push(`${name} cannot be read (${code}).`);
      else this.#good.delete(name);
      return this.#good.get(name) as T | undefined;
    }
    const result = schema.safeParse(yaml(text));
    if (result.success) this.#good.set(name, result.data);
    else problems.push(`${name} is not used: ${sentence(result.error)}`);
    return this.#good.get(name) as T | undefined;
  }
}

/** The document, or what the parser says of it, which then fits no schema. */
function yaml(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 100 });
  } catch (error) {
    return { [`YAML: ${(error as Error).message.split("\n")[0]}`]: true };
  }
}

function sentence(error: z.ZodError): string {
  const [issue] = error.issues;
  const place = issue?.path.length ? `${issue.path.join(".")}: ` : "";
  return `${place}${issue?.message ?? "it does not fit"}.`;
}
