import { createHash } from "node:crypto";
import type { Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { SessionEvent } from "../session-event.ts";

export interface RecordedStep {
  readonly attempts: number;
  /** `open`: it started and the log does not know how it ended. */
  readonly outcome: "completed" | "failed" | "retrying" | "open";
  readonly body: { readonly [key: string]: Json };
}

/** What a turn's events say about its steps, by step id. */
export function recordedSteps(events: readonly SessionEvent[]): Map<string, RecordedStep> {
  const steps = new Map<string, RecordedStep>();
  for (const { type, step, attempt = 1, body } of events) {
    if (step === undefined) continue;
    const fields = (body ?? {}) as RecordedStep["body"];
    if (type === "step.started") steps.set(step, { attempts: attempt, outcome: "open", body: fields });
    if (type === "step.completed") steps.set(step, { attempts: attempt, outcome: "completed", body: fields });
    if (type === "step.failed") {
      steps.set(step, { attempts: attempt, outcome: fields.final === false ? "retrying" : "failed", body: fields });
    }
  }
  return steps;
}

/** SHA-256 of the JSON with sorted keys, so that equal arguments have equal digests. */
export function digest(value: Json | undefined): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(value ?? null)))
    .digest("hex");
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}

/** The value as the log will give it back, so that a first run and a replay see the same. */
export function asJson(value: unknown, what: string): Json {
  try {
    const text = JSON.stringify(value ?? null);
    if (text !== undefined) return JSON.parse(text) as Json;
  } catch (cause) {
    throw new RuntimeError("RUNTIME_INVALID", `${what} cannot be kept as JSON: return plain data.`, { cause });
  }
  throw new RuntimeError(
    "RUNTIME_INVALID",
    `${what} is a ${typeof value}, which cannot be kept as JSON: return plain data.`,
  );
}

/** An error as an event may keep it: its code and message, never its stack or cause. */
export function errorBody(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return {
    code: typeof code === "string" ? code : "UNKNOWN",
    message: typeof message === "string" ? message.slice(0, 2000) : String(error).slice(0, 2000),
  };
}

export function failedBefore(step: string, body: RecordedStep["body"]): RuntimeError {
  return new RuntimeError("RUNTIME_STEP_FAILED", `Step ${step} failed: ${String(body.message)} (${String(body.code)})`);
}
