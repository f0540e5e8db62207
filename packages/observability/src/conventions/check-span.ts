import type { Json } from "../dialect.ts";
import type { SpanRecord } from "../span-record.ts";
import {
  type AttributeType,
  deprecatedAttributes,
  genAiAttributes,
  mcpAttributes,
  operations,
} from "./gen-ai-model.ts";

/** What a span says against the pinned GenAI conventions, one sentence each; empty when nothing. */
export function conventionProblems({ name, attributes }: Pick<SpanRecord, "name" | "attributes">): readonly string[] {
  const problems: string[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    const replacement = deprecatedAttributes[key];
    if (replacement !== undefined) problems.push(`${name}: ${key} is deprecated, use ${replacement}`);
    else if (/^(?:gen_ai|mcp)\./.test(key) || mcpAttributes[key] !== undefined) {
      const type = genAiAttributes[key] ?? mcpAttributes[key];
      if (type === undefined) problems.push(`${name}: ${key} is not in the conventions`);
      else if (!fits(value, type)) problems.push(`${name}: ${key} is not of type ${type}`);
    }
  }
  const method = attributes["mcp.method.name"];
  if (typeof method === "string") return [...problems, ...mcpProblems(name, method, attributes)];
  if (Object.keys(attributes).some((key) => key.startsWith("mcp.")))
    problems.push(`${name}: mcp.method.name is missing`);
  const operation = attributes["gen_ai.operation.name"];
  if (typeof operation !== "string") {
    if (Object.keys(attributes).some((key) => key.startsWith("gen_ai.request.")))
      problems.push(`${name}: gen_ai.operation.name is missing`);
    return problems;
  }
  const { required = [], named } = operations[operation] ?? {};
  for (const key of required) if (attributes[key] === undefined) problems.push(`${name}: ${operation} needs ${key}`);
  const tail = named === undefined ? undefined : attributes[named];
  const expected = typeof tail === "string" ? `${operation} ${tail}` : operation;
  if (operations[operation] !== undefined && name !== expected)
    problems.push(`${name}: the name should be ${expected}`);
  return problems;
}

/** A span of an MCP call is named after its method and what that is about. */
function mcpProblems(name: string, method: string, attributes: SpanRecord["attributes"]): readonly string[] {
  const problems: string[] = [];
  const about = { "tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name" }[method];
  const target = about === undefined ? undefined : attributes[about];
  if (about !== undefined && target === undefined) problems.push(`${name}: ${method} needs ${about}`);
  if (/^resources\/(?:read|subscribe|unsubscribe)$/.test(method) && attributes["mcp.resource.uri"] === undefined)
    problems.push(`${name}: ${method} needs mcp.resource.uri`);
  const expected = typeof target === "string" ? `${method} ${target}` : method;
  if (name !== expected) problems.push(`${name}: the name should be ${expected}`);
  return problems;
}

function fits(value: Json, type: AttributeType): boolean {
  if (type === "any") return true;
  if (type === "string[]") return Array.isArray(value) && value.every((each) => typeof each === "string");
  if (type === "int") return Number.isInteger(value);
  return typeof value === (type === "double" ? "number" : type);
}
