import type { ModelChoice } from "./model.ts";

/** What the job tells its worker, as JSON in the environment. It holds no secret: those are in the vault. */
export interface WorkerConfig {
  readonly data: string;
  readonly keyFile: string;
  readonly port: number;
  readonly tickets: string;
  readonly model: ModelChoice;
  readonly memory: { readonly kind: "sqlite" } | { readonly kind: "redis"; readonly url: string };
  readonly profile: "sqlite";
  /** Where this run of the runtime's process is to be killed. */
  readonly crash?: CrashPoint;
  readonly idempotencyKeys: boolean;
  /** A listener on the host that the sandbox must not reach. */
  readonly listener: number;
  /** Stands in the spans, so that the search for secrets can be shown to find what is there. */
  readonly control: string;
}

export const crashPoints = ["before the refund is sent", "after it is committed", "after it is recorded"] as const;
export type CrashPoint = (typeof crashPoints)[number];

export const TENANT = "acme";
export const AGENT = "ticket-resolver";
export const MEMORY = "customers";
export const AUDIENCE = "ticket-resolver-demo";
