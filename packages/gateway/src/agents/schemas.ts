import { z } from "zod";
import type { Json, Metadata } from "../dialect.ts";
import { GatewayError } from "../errors.ts";

const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;
const metadata: z.ZodType<Metadata> = z.record(
  z.string().max(64),
  z.union([z.string().max(1024), z.number(), z.boolean()]),
);
const name = z.string().min(1).max(256);

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

export const stopBody: z.ZodType<StopBody> = z.strictObject({ graceMs: z.int().min(0).max(3_600_000).optional() });

/** The value as the schema types it; throws with the place and the rule of the first thing that is wrong. */
export function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? "The body" : `In the body, ${issue.path.join(".")}`;
  throw new GatewayError("GATEWAY_INVALID", `${place}: ${issue?.message ?? "does not fit"}.`);
}
