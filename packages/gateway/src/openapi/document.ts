import { parse as parseYaml } from "yaml";
import { GatewayError } from "../errors.ts";

export type Node = { readonly [key: string]: unknown };

export type Dialect = "swagger-2" | "openapi-3.0" | "openapi-3.1";

export interface ApiDocument {
  readonly root: Node;
  readonly dialect: Dialect;
}

/** Reads a document of Swagger 2 or OpenAPI 3.x, as JSON or YAML text or already parsed. */
export function readDocument(source: string | Node): ApiDocument {
  const root = typeof source === "string" ? parseText(source) : source;
  if (!isNode(root)) throw invalid("is not an object");
  if (!isNode(root.paths) && !(root.openapi !== undefined && root.paths === undefined)) {
    throw invalid("has no paths");
  }
  if (String(root.swagger) === "2.0" || root.swagger === 2) return { root, dialect: "swagger-2" };
  const version = String(root.openapi ?? "");
  if (version.startsWith("3.0")) return { root, dialect: "openapi-3.0" };
  if (/^3\.\d/.test(version)) return { root, dialect: "openapi-3.1" };
  throw invalid("names no version that is known here: Swagger 2.0, OpenAPI 3.0 and 3.1 are");
}

export function parseText(text: string): unknown {
  const trimmed = text.trimStart();
  try {
    if (trimmed.startsWith("{")) return JSON.parse(text);
    return parseYaml(text, { maxAliasCount: 10_000, prettyErrors: false, logLevel: "silent" });
  } catch {
    throw invalid("is neither JSON nor YAML");
  }
}

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const invalid = (what: string): GatewayError => new GatewayError("GATEWAY_INVALID", `The API document ${what}.`);
