import type { z } from "zod";
import {
  invokeBody,
  invoked,
  messageBody,
  openBody,
  opened,
  sent,
  socketMessage,
  socketReply,
  stopBody,
  streamedEvent,
} from "./schemas.ts";

export type OperationId = "invoke" | "stream" | "open" | "send" | "events" | "interrupt" | "stop" | "connect";

export interface AgentOperation {
  readonly id: OperationId;
  readonly method: "GET" | "POST";
  /** What follows `/agents/{agent}`; `{session}` stands for any. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** Whether the body may be left out. */
  readonly bodyOptional?: true;
  readonly status: number;
  readonly answer?: z.ZodType;
  /** The answer comes as server-sent events. */
  readonly streamed?: true;
  /** The answer is a WebSocket, on which these are said. */
  readonly socket?: { readonly says: z.ZodType; readonly hears: z.ZodType };
}

const resume = {
  after: "The sequence number after which events are wanted",
  deltas: "`false` leaves out live deltas",
};

/** All that an agent's address can be asked: the routes, the OpenAPI document and the client are made of this table. */
export const operations: readonly AgentOperation[] = [
  {
    id: "invoke",
    method: "POST",
    path: ["invoke"],
    summary: "Sends an input and waits for the answer",
    body: invokeBody,
    status: 200,
    answer: invoked,
  },
  {
    id: "stream",
    method: "POST",
    path: ["stream"],
    summary: "Sends an input and streams what happens until the agent is done with it",
    body: invokeBody,
    status: 200,
    answer: streamedEvent,
    streamed: true,
  },
  {
    id: "open",
    method: "POST",
    path: ["sessions"],
    summary: "Opens a session; the same externalId opens the same one again",
    body: openBody,
    bodyOptional: true,
    status: 201,
    answer: opened,
  },
  {
    id: "send",
    method: "POST",
    path: ["sessions", "{session}", "messages"],
    summary: "Puts a message into a session",
    body: messageBody,
    status: 202,
    answer: sent,
  },
  {
    id: "events",
    method: "GET",
    path: ["sessions", "{session}", "events"],
    summary: "Streams a session's events; Last-Event-ID resumes without loss or repeat",
    query: resume,
    status: 200,
    answer: streamedEvent,
    streamed: true,
  },
  {
    id: "interrupt",
    method: "POST",
    path: ["sessions", "{session}", "interrupt"],
    summary: "Interrupts what a session is doing",
    status: 202,
  },
  {
    id: "stop",
    method: "POST",
    path: ["sessions", "{session}", "stop"],
    summary: "Ends a session",
    body: stopBody,
    bodyOptional: true,
    status: 202,
  },
  {
    id: "connect",
    method: "GET",
    path: ["socket"],
    summary: "A WebSocket to one session: `session` joins it, otherwise one is opened",
    query: { session: "The session to join", externalId: "Opens the same session again", ...resume },
    status: 101,
    socket: { says: socketReply, hears: socketMessage },
  },
];

/** The operation at a place below an agent, and the session that the place names. */
export function operationAt(
  method: string,
  path: readonly string[],
): { readonly operation: AgentOperation; readonly session: string } | undefined {
  const operation = operations.find(
    (each) =>
      each.method === method &&
      each.path.length === path.length &&
      each.path.every((part, index) => part === path[index] || part === "{session}"),
  );
  return operation === undefined ? undefined : { operation, session: path[1] ?? "" };
}
