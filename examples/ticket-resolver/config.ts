import type { ModelChoice } from "./model.ts";

/** What the job tells its worker, as JSON in the environment. It holds no secret: those are in the vault. */
export interface WorkerConfig {
  readonly data: string;
  readonly keyFile: string;
  readonly port: number;
  readonly tickets: string;
  readonly model: ModelChoice;
  readonly memory: { readonly kind: "sqlite" } | { readonly kind: "redis"; readonly url: string };
  /** The engine of the sessions. */
  readonly sessions: SessionEngine;
  /** This process's name in the story. */
  readonly worker?: string;
  /** Where a runtime's process is to be killed: at each point one of them, once. */
  readonly crashes: readonly CrashPoint[];
  readonly idempotencyKeys: boolean;
  /** A listener on the host that the sandbox must not reach. */
  readonly listener: number;
  /** Stands in the spans, so that the search for secrets can be shown to find what is there. */
  readonly control: string;
}

export type SessionEngine =
  | { readonly kind: "sqlite" }
  | { readonly kind: "redis"; readonly url: string }
  | { readonly kind: "postgres"; readonly url: string };

/** A file is for the processes of one machine and this job runs one; on a server two share the sessions. */
export const workersOf = ({ sessions }: WorkerConfig): number => (sessions.kind === "sqlite" ? 1 : 2);

export const crashPoints = ["before the refund is sent", "after it is committed", "after it is recorded"] as const;
export type CrashPoint = (typeof crashPoints)[number];

export const TENANT = "acme";
export const AGENT = "ticket-resolver";
export const MEMORY = "customers";
export const AUDIENCE = "ticket-resolver-demo";
