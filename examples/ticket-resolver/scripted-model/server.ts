import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeListener } from "@ashlar/gateway/node";
import { z } from "zod";
import { type Call, type ChatRequest, type Move, nextMove } from "./script.ts";

/** Enough of a Chat Completions request to refuse what is none. */
const chatRequest = z.looseObject({ model: z.string(), messages: z.array(z.looseObject({ role: z.string() })).min(1) });

export interface ScriptedModel {
  readonly baseURL: string;
  readonly model: string;
  close(): Promise<void>;
}

/** A local server that speaks OpenAI's Chat Completions protocol, streaming included. Its answers are a script. */
export async function startScriptedModel(script: (chat: ChatRequest) => Move = nextMove): Promise<ScriptedModel> {
  const server = createServer(nodeListener({ fetch: (request) => answer(request, script) })).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    model: "scripted-model",
    close: () => new Promise((closed) => server.close(() => closed())),
  };
}

async function answer(request: Request, script: (chat: ChatRequest) => Move): Promise<Response> {
  if (request.method !== "POST" || !request.url.endsWith("/v1/chat/completions")) return failure(404, "not_found");
  const parsed = chatRequest.safeParse(await request.json().catch(() => undefined));
  if (!parsed.success) return failure(400, z.prettifyError(parsed.error));
  const chat = parsed.data as unknown as ChatRequest;
  const id = `chatcmpl-${chat.messages.length}`;
  try {
    const move = script(chat);
    const usage = usageOf(chat, move);
    return chat.stream === true ? streamed(id, chat.model, move, usage) : whole(id, chat.model, move, usage);
  } catch (error) {
    return failure(500, String(error));
  }
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** About four characters a token, which is what providers say of English text. */
function usageOf({ messages, tools }: ChatRequest, move: Move): Usage {
  const prompt_tokens = Math.ceil(JSON.stringify({ messages, tools }).length / 4);
  const completion_tokens = Math.ceil(JSON.stringify(move).length / 4);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}

const toolCall = (id: string, { call, arguments: args }: Call) => ({
  index: 0,
  id: `call_${id}`,
  type: "function",
  function: { name: call, arguments: JSON.stringify(args) },
});

function whole(id: string, model: string, move: Move, usage: Usage): Response {
  const said = "say" in move;
  const message = said
    ? { role: "assistant", content: move.say }
    : { role: "assistant", content: null, tool_calls: [toolCall(id, move)] };
  const choice = { index: 0, message, finish_reason: said ? "stop" : "tool_calls" };
  return Response.json({ id, object: "chat.completion", created: 0, model, choices: [choice], usage });
}

function streamed(id: string, model: string, move: Move, usage: Usage): Response {
  const chunk = (delta: object, rest: object = {}) =>
    `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 0, model, choices: [{ index: 0, delta, finish_reason: null, ...rest }] })}\n\n`;
  const parts =
    "say" in move
      ? [...move.say.matchAll(/\S+\s*/g)].map(([word]) => chunk({ content: word }))
      : [chunk({ tool_calls: [toolCall(id, move)] })];
  const body = [
    chunk({ role: "assistant", content: "" }),
    ...parts,
    chunk({}, { finish_reason: "say" in move ? "stop" : "tool_calls" }),
    `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 0, model, choices: [], usage })}\n\n`,
    "data: [DONE]\n\n",
  ];
  return new Response(ReadableStream.from(body.map((part) => new TextEncoder().encode(part))), {
    headers: { "content-type": "text/event-stream" },
  });
}

const failure = (status: number, message: string): Response =>
  Response.json({ error: { message, type: "invalid_request_error" } }, { status });
