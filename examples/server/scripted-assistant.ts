import type { ChatRequest, Move } from "../ticket-resolver/scripted-model/script.ts";

const help =
  "I am a scripted model: no key is in the environment. Say `run: 6 * 7`, `remember: …` or `recall: …`, or start the " +
  "server with ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL.";

/** Enough of an assistant to try the server without a model: it runs code, remembers, recalls, and says what it got. */
export function assistantScript({ messages, tools = [] }: ChatRequest): Move {
  const last = messages.at(-1);
  if (last?.role === "tool") return { say: textOf(last.content) || "Done." };
  const [, verb = "", rest = ""] = /^(run|remember|recall):\s*([\s\S]+)$/.exec(textOf(last?.content).trim()) ?? [];
  const named = (suffix: string) => tools.find(({ function: { name } }) => name.endsWith(suffix))?.function.name;
  const calls: Readonly<Record<string, readonly [suffix: string, args: Readonly<Record<string, unknown>>]>> = {
    run: ["executeCode", { language: "javascript", code: rest }],
    remember: ["memory_add", { text: rest }],
    recall: ["memory_search", { text: rest }],
  };
  const [suffix, args] = calls[verb] ?? [];
  if (suffix === undefined || args === undefined) return { say: help };
  const call = named(suffix);
  return call === undefined ? { say: `This agent has no tool ${suffix}.` } : { call, arguments: args };
}

function textOf(content: ChatRequest["messages"][number]["content"]): string {
  if (typeof content === "string") return content;
  return (content ?? []).map(({ text = "" }) => text).join("\n");
}
