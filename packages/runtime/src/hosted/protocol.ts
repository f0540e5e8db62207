import type { TurnInput } from "../agent.ts";
import type { Json } from "../dialect.ts";

/** Frames to the child. */
export type ToChild =
  | { readonly type: "turn"; readonly session: string; readonly turn: number; readonly input: TurnInput }
  | { readonly type: "ping" }
  | { readonly type: "execute"; readonly id: number; readonly idempotencyKey: string; readonly attempt: number }
  | { readonly type: "answer"; readonly id: number; readonly value?: Json; readonly error?: WireError };

/** Frames from the child. */
export type FromChild =
  | { readonly type: "call"; readonly id: number; readonly method: HostedMethod; readonly args: readonly Json[] }
  | { readonly type: "pong" }
  | { readonly type: "executed"; readonly id: number; readonly value?: Json; readonly error?: WireError }
  | { readonly type: "delta"; readonly step: string; readonly body: Json }
  | { readonly type: "done"; readonly output?: Json; readonly error?: WireError };

export const hostedMethods = ["step", "sleep", "waitFor", "ask", "spawn", "join", "outside", "emit", "meter"] as const;
export type HostedMethod = (typeof hostedMethods)[number];

export interface WireError {
  readonly code: string;
  readonly message: string;
}

export function wireError(error: unknown): WireError {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return {
    code: typeof code === "string" ? code : "UNKNOWN",
    message: typeof message === "string" ? message : String(error),
  };
}

export const thrown = ({ code, message }: WireError): Error => Object.assign(new Error(message), { code });
