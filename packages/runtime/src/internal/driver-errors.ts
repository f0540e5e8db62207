import { RuntimeError } from "../errors.ts";

/** Lets our own errors through and turns a driver's into one that says what failed. */
export function backend<T>(what: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (RuntimeError.is(error)) throw error;
    const code = (error as { code?: unknown } | undefined)?.code;
    const full = code === "SQLITE_FULL" ? " The disk is full: make room and the session goes on by itself." : "";
    throw new RuntimeError(
      "RUNTIME_BACKEND_FAILED",
      `The ${what} did not take it${typeof code === "string" ? ` (${code})` : ""}; nothing was written.${full}`,
      { cause: error },
    );
  }
}
