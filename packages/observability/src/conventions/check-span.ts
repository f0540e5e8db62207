import type { Json } from "../dialect.ts";
import type { SpanRecord } from "../span-record.ts";
import { ashlarAttributes, ashlarSpans, httpServer } from "./ashlar-model.ts";
import {
  type AttributeType,
  deprecatedAttributes,
  genAiAttributes,
  mcpAttributes,
  operations,
} from "./gen-ai-model.ts";

type Checked = Pick<SpanRecord, "name" | "attributes"> & Partial<Pick<SpanRecord, "scope" | "status">>;

/**
 * What a span says against the pinned GenAI conventions, and a span of an Ashlar package also against what that
 * package promises; one sentence each, empty when nothing.
 */
export function conventionProblems(span: Checked): readonly string[] {
  const { name, attributes, status } = span;
  const problems = Object.entries(attributes).flatMap(([key, value]) => problemOf(key, value) ?? []);
  if (status === "error" && attributes["error.type"] === undefined) problems.push("error.type is missing");
  problems.push(...shapeProblems(span));
  return problems.map((problem) => `${name}: ${problem}`);
}

function problemOf(key: string, value: Json): string | undefined {
  const replacement = deprecatedAttributes[key];
  if (replacement !== undefined) return `${key} is deprecated, use ${replacement}`;
  const type = genAiAttributes[key] ?? mcpAttributes[key] ?? ashlarAttributes[key];
  if (type !== undefined) return fits(value, type) ? undefined : `${key} is not of type ${type}`;
  return /^(?:gen_ai|mcp|ashlar)\./.test(key) ? `${key} is not in the conventions` : undefined;
}

function shapeProblems(span: Checked): readonly string[] {
  const { name, attributes, scope = "" } = span;
  const method = attributes["mcp.method.name"];
  if (typeof method === "string") return mcpProblems(name, method, attributes);
  if (Object.keys(attributes).some((key) => key.startsWith("mcp."))) return ["mcp.method.name is missing"];
  const operation = attributes["gen_ai.operation.name"];
  if (typeof operation === "string") return operationProblems(name, operation, attributes);
  if (Object.keys(attributes).some((key) => key.startsWith("gen_ai.request.")))
    return ["gen_ai.operation.name is missing"];
  if (!scope.startsWith("ashlar.")) return [];
  if (attributes["http.route"] !== undefined)
    return [
      ...missing(httpServer, attributes),
      ...named(name, `${attributes["http.request.method"]} ${attributes["http.route"]}`),
    ];
  const required = ashlarSpans[name] ?? ashlarSpans[name.replace(/ \S+$/, " *")];
  return required === undefined ? [`${scope} promises no such span`] : missing(required, attributes);
}

function operationProblems(name: string, operation: string, attributes: SpanRecord["attributes"]): readonly string[] {
  const model = operations[operation];
  if (model === undefined) return [];
  const tail = model.named === undefined ? undefined : attributes[model.named];
  const expected = typeof tail === "string" ? `${operation} ${tail}` : operation;
  return [...missing(model.required, attributes, operation), ...named(name, expected)];
}

/** A span of an MCP call is named after its method and what that is about. */
function mcpProblems(name: string, method: string, attributes: SpanRecord["attributes"]): readonly string[] {
  const about = { "tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name" }[method];
  const uri = /^resources\/(?:read|subscribe|unsubscribe)$/.test(method) ? "mcp.resource.uri" : undefined;
  const target = about === undefined ? undefined : attributes[about];
  const required = [about, uri].filter((key) => key !== undefined);
  const expected = typeof target === "string" ? `${method} ${target}` : method;
  return [...missing(required, attributes, method), ...named(name, expected)];
}

const missing = (required: readonly string[], attributes: SpanRecord["attributes"], what = ""): readonly string[] =>
  required
    .filter((key) => attributes[key] === undefined)
    .map((key) => (what === "" ? `${key} is missing` : `${what} needs ${key}`));

const named = (name: string, expected: string): readonly string[] =>
  name === expected ? [] : [`the name should be ${expected}`];

function fits(value: Json, type: AttributeType): boolean {
  if (type === "any") return true;
  if (type === "string[]") return Array.isArray(value) && value.every((each) => typeof each === "string");
  if (type === "int") return Number.isInteger(value);
  return typeof value === (type === "double" ? "number" : type);
}
