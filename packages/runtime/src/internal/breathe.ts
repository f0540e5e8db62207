import { setImmediate } from "node:timers/promises";

/** Longest stretch of work that is done before timers and sockets get their turn. */
const STRETCH_MS = 10;

let last = 0;

/**
 * Lets the event loop turn when it has not for a while. An engine in the same process answers without ever leaving the
 * microtask queue: without this, a busy worker would never come to renew its own lease.
 */
export async function breathe(): Promise<void> {
  if (performance.now() - last < STRETCH_MS) return;
  await setImmediate();
  last = performance.now();
}
