import type { Clock } from "../dialect.ts";
import { ToolsError } from "../errors.ts";

/** Calls `reached` when the time is over or the signal aborts, until it is released. */
export function deadline(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  reached: (aborted: boolean) => void,
): () => void {
  const done = new AbortController();
  clock.sleep(ms, { signal: done.signal }).then(
    () => reached(false),
    () => {},
  );
  const aborted = (): void => reached(true);
  signal?.addEventListener("abort", aborted, { once: true });
  if (signal?.aborted) aborted();
  return () => {
    done.abort();
    signal?.removeEventListener("abort", aborted);
  };
}

export const cancelled = (signal: AbortSignal): ToolsError =>
  new ToolsError("TOOLS_CANCELLED", "The call was cancelled.", { cause: signal.reason });
