import type { CallContext } from "./dialect.ts";
import type { Memory } from "./memory.ts";

export interface SessionMemoryAdapterDeps {
  readonly memory: Memory;
  /** The memory's name. */
  readonly name: string;
  /** What a recall looks through. Default records and events. */
  readonly sources?: readonly ("events" | "records")[];
}

/** A memory in the shape that a session needs: it recalls before a turn, and is told each turn. */
export class SessionMemoryAdapter {
  readonly #memory: Memory;
  readonly #name: string;
  readonly #sources: readonly ("events" | "records")[];

  constructor({ memory, name, sources = ["records", "events"] }: SessionMemoryAdapterDeps) {
    this.#memory = memory;
    this.#name = name;
    this.#sources = sources;
  }

  async recall(
    context: CallContext,
    { text, limit = 10 }: { readonly text: string; readonly limit?: number },
  ): Promise<readonly { readonly id: string; readonly text: string; readonly score: number; readonly at: number }[]> {
    const hits = await this.#memory.search(context, this.#name, { text, topK: limit, sources: this.#sources });
    return hits.map(({ id, text: found, score, at }) => ({ id, text: found, score, at }));
  }

  /** The actor is the principal's user, or its agent; the session is the principal's. */
  async remember(
    context: CallContext,
    turn: { readonly role: "user" | "assistant" | "tool"; readonly text: string; readonly at: number },
  ): Promise<void> {
    const { user, agent, session } = context.principal;
    const actor = user ?? agent ?? "anyone";
    await this.#memory.events.append(context, this.#name, { ...turn, actor, session: session ?? "default" });
  }
}
