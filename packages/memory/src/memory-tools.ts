import { z } from "zod";
import type { CallContext, Json } from "./dialect.ts";
import { MemoryError } from "./errors.ts";
import type { Memory } from "./memory.ts";

export interface MemoryToolsDeps {
  readonly memory: Memory;
  /** The memory's name: a caller of the tools cannot choose another. */
  readonly name: string;
}

interface ToolResult {
  readonly content: readonly { readonly type: "text"; readonly text: string }[];
  readonly structuredContent?: Json;
  readonly isError?: boolean;
}

const tools = {
  memory_search: {
    description: "Finds what is remembered about something: facts and earlier turns, best first.",
    input: z.strictObject({ text: z.string().min(1), limit: z.int().min(1).max(50).exactOptional() }),
  },
  memory_add: {
    description: "Remembers one fact in a sentence of its own.",
    input: z.strictObject({ text: z.string().min(1), namespace: z.string().exactOptional() }),
  },
  memory_supersede: {
    description: "Replaces a fact that has changed; the old one stays as history.",
    input: z.strictObject({ id: z.string().min(1), text: z.string().min(1) }),
  },
  memory_invalidate: {
    description: "Marks a fact as not true any more, when nothing takes its place.",
    input: z.strictObject({ id: z.string().min(1) }),
  },
} as const;

/** A memory as tools in the shapes of MCP. Faults of the arguments come back as `isError`, for the model to mend. */
export class MemoryTools {
  readonly #memory: Memory;
  readonly #name: string;

  constructor({ memory, name }: MemoryToolsDeps) {
    this.#memory = memory;
    this.#name = name;
  }

  async list(
    _context: CallContext,
  ): Promise<readonly { readonly name: string; readonly description: string; readonly inputSchema: Json }[]> {
    return Object.entries(tools).map(([name, { description, input }]) => ({
      name,
      description,
      inputSchema: z.toJSONSchema(input) as Json,
    }));
  }

  async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    try {
      return answer(await this.#run(context, name, args));
    } catch (error) {
      const foreseen = MemoryError.is(error) && ["invalid", "not_found", "conflict"].includes(error.kind);
      if (foreseen) return { content: [{ type: "text", text: error.message }], isError: true };
      throw error;
    }
  }

  async #run(context: CallContext, name: string, args: Json): Promise<Json> {
    const memory = this.#memory;
    switch (name) {
      case "memory_search": {
        const { text, limit = 10 } = input(tools.memory_search.input, args);
        const hits = await memory.search(context, this.#name, { text, topK: limit });
        return { hits: hits.map(({ id, source, text: found, at }) => ({ id, source, text: found, at })) };
      }
      case "memory_add": {
        const { id } = await memory.records.create(context, this.#name, input(tools.memory_add.input, args));
        return { id };
      }
      case "memory_supersede": {
        const { id: old, text } = input(tools.memory_supersede.input, args);
        const { id } = await memory.records.supersede(context, this.#name, old, { text });
        return { id, superseded: old };
      }
      case "memory_invalidate": {
        const { id } = await memory.records.invalidate(
          context,
          this.#name,
          input(tools.memory_invalidate.input, args).id,
        );
        return { id };
      }
      default:
        throw new MemoryError("MEMORY_NOT_FOUND", `There is no tool ${JSON.stringify(name)} here.`);
    }
  }
}

function input<T>(schema: z.ZodType<T>, args: Json): T {
  const result = schema.safeParse(args);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new MemoryError(
    "MEMORY_INVALID",
    `The arguments do not fit: ${issue?.path.join(".") || "they"}: ${issue?.message}.`,
  );
}

const answer = (value: Json): ToolResult => ({
  content: [{ type: "text", text: JSON.stringify(value) }],
  structuredContent: value,
});
