import { IdentityError } from "../errors.ts";

/** Turns whatever a driver throws into this package's error. */
export function failed(backend: string, error: unknown): IdentityError {
  if (IdentityError.is(error)) return error;
  const detail = (error as { code?: unknown } | undefined)?.code ?? (error as Error | undefined)?.name ?? "unknown";
  return new IdentityError("IDENTITY_BACKEND_FAILED", `${backend} failed (${String(detail)}). Try again.`, {
    cause: error,
  });
}
