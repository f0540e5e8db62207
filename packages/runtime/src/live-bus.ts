import type { CallContext, Json } from "./dialect.ts";

/** `appended` says that the log has grown to `seq`; a delta is a piece of something whose whole will be an event. */
export type LiveMessage =
  | { readonly type: "appended"; readonly seq: number }
  | { readonly type: "control" }
  | { readonly type: "delta"; readonly turn: number; readonly step: string; readonly body: Json };

/**
 * A best-effort channel per session: it may drop, never delays the sender and keeps nothing. What matters stands in the
 * log; a listener that hears nothing loses time, not facts. Messages of one sender arrive in order. Per tenant.
 */
export interface LiveBus {
  readonly supports: { readonly acrossProcesses: boolean };
  publish(context: CallContext, session: string, message: LiveMessage): Promise<void>;
  /** Resolves once messages published from now on will be heard; disposing stops. A listener must not throw. */
  subscribe(context: CallContext, session: string, listener: (message: LiveMessage) => void): Promise<AsyncDisposable>;
  close(): Promise<void>;
}
