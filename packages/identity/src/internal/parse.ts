import type { z } from "zod";
import { IdentityError } from "../errors.ts";

/** Parses what came from outside. The error names fields and rules, never a value. */
export function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.map(String).join(".") || what}: ${message}`);
  throw new IdentityError("IDENTITY_INVALID", `${what} is not valid: ${problems.slice(0, 5).join("; ")}.`);
}

/** `JSON.parse` whose error does not quote the text, as the platform's does. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new IdentityError("IDENTITY_INVALID", `${what} is not JSON.`);
  }
}

export function requireTenant(tenant: unknown): string {
  if (typeof tenant === "string" && tenant.length > 0 && tenant.length <= 256) return tenant;
  throw new IdentityError("IDENTITY_INVALID", "principal.tenant must be a text of 1 to 256 characters.");
}
