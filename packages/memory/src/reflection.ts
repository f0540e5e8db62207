import { z } from "zod";
import type { CallContext } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import type { Events } from "./events.ts";
import { name, namespacePath, parse } from "./internal/parse.ts";
import { reflectionSchema, revisionList } from "./internal/parse-reflection.ts";
import type { MemoryRecord } from "./record.ts";
import type { Records } from "./records.ts";
import type { PastSession, Reflector, Revision } from "./reflector.ts";

/** A reviewable difference, plain JSON: nothing has changed until it is applied; to discard it, drop it. */
export interface Reflection {
  readonly namespace: string;
  readonly revisions: readonly Revision[];
  /** Record → version that was read: applying is refused when one has changed since. */
  readonly basis: Readonly<Record<string, number>>;
}

export interface ReflectOn {
  /** Records filed here or below. Default `/`. */
  readonly namespace?: string;
  /** Whose past sessions are read too. Default none. */
  readonly actor?: string;
  /** Most sessions, the latest first. Default 20. */
  readonly sessions?: number;
}

const reflectOn = z.strictObject({
  namespace: namespacePath.exactOptional(),
  actor: name.exactOptional(),
  sessions: z.int().min(1).max(1_000).exactOptional(),
});

export interface ReflectionsDeps {
  readonly records: Records;
  readonly events: Events;
  readonly reflector: Reflector;
}

/** Offline work on what is kept: proposals to read, then to apply as one or not at all. */
export class Reflections {
  readonly #deps: ReflectionsDeps;

  constructor(deps: ReflectionsDeps) {
    this.#deps = deps;
  }

  async propose(context: CallContext, memory: string, on: ReflectOn = {}): Promise<Reflection> {
    const { namespace = "/", actor, sessions: most = 20 } = parse(reflectOn, on, "request to reflect");
    const records = await this.#records(context, memory, namespace);
    const sessions = actor === undefined ? [] : await this.#sessions(context, memory, actor, most);
    const { signal } = context;
    const material = { namespace, records, sessions };
    const proposed = await this.#deps.reflector.reflect(material, signal === undefined ? {} : { signal });
    const revisions = parse(revisionList, proposed, "proposal of the reflector");
    const versions = new Map(records.map(({ id, version }) => [id, version]));
    const basis: Record<string, number> = {};
    for (const id of revisions.flatMap(touchedBy)) {
      const version = versions.get(id);
      if (version === undefined || id in basis) {
        throw new MemoryError(
          "MEMORY_INVALID",
          `The reflector proposes twice, or without having seen it, to touch ${id}.`,
        );
      }
      basis[id] = version;
    }
    return { namespace, revisions, basis };
  }

  /** The difference as lines to read: what goes with `-`, what stays with a space, what comes with `+`. */
  async describe(context: CallContext, memory: string, reflection: Reflection): Promise<string> {
    const { revisions } = parse(reflectionSchema, reflection, "reflection");
    const lines: string[] = [];
    const line = async (sign: string, id: string) => {
      const record = await this.#deps.records.get(context, memory, id);
      lines.push(`${sign} ${id} ${record === undefined ? "(gone)" : inOneLine(record.text)}`);
    };
    for (const revision of revisions) {
      lines.push(`# ${revision.action}: ${inOneLine(revision.reason)}`);
      for (const id of revision.close) await line("-", id);
      if (revision.action === "learn") for (const id of revision.from) await line(" ", id);
      else await line(revision.action === "merge" ? "-" : " ", revision.keep);
      if (revision.action !== "close") lines.push(`+ ${inOneLine(revision.text)}`);
    }
    return lines.join("\n");
  }

  /** All of it in one commit, or a conflict when a record has changed since. Nothing is deleted; evidence is kept. */
  async apply(context: CallContext, memory: string, reflection: Reflection): Promise<void> {
    const { revisions, basis } = parse(reflectionSchema, reflection, "reflection");
    await this.#deps.records.consolidate(context, memory, revisions, basis);
  }

  async #records(context: CallContext, memory: string, namespace: string): Promise<MemoryRecord[]> {
    const records: MemoryRecord[] = [];
    for (let cursor: string | undefined; ; ) {
      const query = { namespace, limit: 1_000, ...(cursor === undefined ? {} : { cursor }) };
      const page = await this.#deps.records.list(context, memory, query);
      records.push(...page.items);
      cursor = page.cursor;
      if (cursor === undefined) return records;
    }
  }

  async #sessions(context: CallContext, memory: string, actor: string, most: number): Promise<PastSession[]> {
    const branches = [];
    for (let cursor: string | undefined; ; ) {
      const query = { actor, limit: 1_000, ...(cursor === undefined ? {} : { cursor }) };
      const page = await this.#deps.events.branches(context, memory, query);
      branches.push(...page.items);
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    const latest = branches.toSorted((a, b) => b.lastAt - a.lastAt).slice(0, most);
    const sessions: PastSession[] = [];
    for (const { session, branch } of latest) {
      const query = { actor, session, branch, withParents: false, limit: 1_000 };
      const { items } = await this.#deps.events.list(context, memory, query);
      sessions.push({ actor, session, branch, events: items });
    }
    return sessions;
  }
}

const inOneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

export const touchedBy = (revision: Revision): readonly string[] => [
  ...(revision.action === "learn" ? revision.from : [revision.keep]),
  ...revision.close,
];
