import { z } from "zod";
import type { Json, Metadata } from "../dialect.ts";
import { GatewayError } from "../errors.ts";

/** Whatever stands there was parsed as JSON before; only its absence can be wrong. */
const json: z.ZodType<Json> = z.unknown().refine((value) => value !== undefined, "is missing") as z.ZodType<Json>;
const metadata: z.ZodType<Metadata> = z.record(
  z.string().max(64),
  z.union([z.string().max(1024), z.number(), z.boolean()]),
);
const name = z.string().min(1).max(256);
const seq = z.int().min(0);
const graceMs = z.int().min(0).max(3_600_000).optional();

export interface OpenBody {
  readonly externalId?: string | undefined;
  readonly qualifier?: string | undefined;
  readonly metadata?: Metadata | undefined;
}

export interface InvokeBody extends OpenBody {
  readonly input: Json;
  readonly session?: string | undefined;
}

export interface MessageBody {
  readonly type: string;
  readonly body: Json;
}

export interface StopBody {
  readonly graceMs?: number | undefined;
}

const opening = { externalId: name.optional(), qualifier: name.optional(), metadata: metadata.optional() };

export const openBody: z.ZodType<OpenBody> = z.strictObject(opening);

export const invokeBody: z.ZodType<InvokeBody> = z.strictObject({ input: json, session: name.optional(), ...opening });

export const messageBody: z.ZodType<MessageBody> = z.strictObject({ type: name, body: json });

export const stopBody: z.ZodType<StopBody> = z.strictObject({ graceMs });

/** What `GET /agents` gives. */
export interface AgentPage {
  readonly items: readonly {
    readonly name: string;
    readonly version: string;
    readonly description?: string | undefined;
  }[];
  readonly cursor?: string | undefined;
}

export interface Invoked {
  readonly session: string;
  /** The type of the event that ended the work. */
  readonly status: string;
  readonly output: Json;
  readonly seq: number;
}

export interface Opened {
  readonly id: string;
  readonly status: string;
}

export interface Sent {
  readonly seq: number;
}

/** One event of a session; without `seq` it is a live delta that is not repeated. */
export interface StreamedEvent {
  readonly seq?: number | undefined;
  readonly type: string;
  readonly body?: Json | undefined;
}

/** RFC 9457, with what a program can react to. */
export interface ProblemBody {
  readonly status: number;
  readonly code: string;
  readonly kind: string;
  readonly detail: string;
  readonly retryable: boolean;
}

export const agentPage: z.ZodType<AgentPage> = z.object({
  items: z.array(z.object({ name, version: z.string(), description: z.string().optional() })),
  cursor: z.string().optional(),
});

export const invoked: z.ZodType<Invoked> = z.object({ session: name, status: z.string(), output: json, seq });

export const opened: z.ZodType<Opened> = z.object({ id: name, status: z.string() });

export const sent: z.ZodType<Sent> = z.object({ seq });

export const streamedEvent: z.ZodType<StreamedEvent> = z.object({
  seq: seq.optional(),
  type: z.string(),
  body: json.optional(),
});

const problem = { code: z.string(), kind: z.string(), detail: z.string(), retryable: z.boolean() };

export const problemBody: z.ZodType<ProblemBody> = z.object({ status: z.int(), ...problem });

/** What a client says over a WebSocket. `id` is its own, and comes back with the answer. */
export type SocketMessage =
  | ({
      readonly op: "send";
      readonly id?: string | undefined;
      readonly idempotencyKey?: string | undefined;
    } & MessageBody)
  | { readonly op: "interrupt"; readonly id?: string | undefined }
  | ({ readonly op: "stop"; readonly id?: string | undefined } & StopBody);

/** What the gateway says over a WebSocket: `session` first, then events as they come and an answer to each message. */
export type SocketReply =
  | { readonly op: "session"; readonly session: string }
  | ({ readonly op: "event" } & StreamedEvent)
  | { readonly op: "done"; readonly id?: string | undefined; readonly seq?: number | undefined }
  | ({ readonly op: "error"; readonly id?: string | undefined } & Omit<ProblemBody, "status">);

const id = z.string().max(128).optional();

export const socketMessage: z.ZodType<SocketMessage> = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("send"), id, idempotencyKey: name.optional(), type: name, body: json }),
  z.strictObject({ op: z.literal("interrupt"), id }),
  z.strictObject({ op: z.literal("stop"), id, graceMs }),
]);

export const socketReply: z.ZodType<SocketReply> = z.discriminatedUnion("op", [
  z.object({ op: z.literal("session"), session: name }),
  z.object({ op: z.literal("event"), seq: seq.optional(), type: z.string(), body: json.optional() }),
  z.object({ op: z.literal("done"), id, seq: seq.optional() }),
  z.object({ op: z.literal("error"), id, ...problem }),
]);

/** The value as the schema types it; throws with the place and the rule of the first thing that is wrong. */
export function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? "The body" : `In the body, ${issue.path.join(".")}`;
  throw new GatewayError("GATEWAY_INVALID", `${place}: ${issue?.message ?? "does not fit"}.`);
}
