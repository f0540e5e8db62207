import type { Json } from "../dialect.ts";
import type { ToolDescription } from "../tool-source.ts";
import { type Dialect, isNode, type Node } from "./document.ts";
import type { Operation } from "./operations.ts";
import type { Located, References } from "./references.ts";
import { SchemaWriter } from "./schema.ts";

export type Place = "path" | "query" | "header" | "body" | "form";

export interface Argument {
  /** The property of the tool's arguments that it comes from. */
  readonly argument: string;
  readonly name: string;
  readonly place: Place;
  readonly style: string;
  readonly explode: boolean;
}

export interface ToolShape {
  readonly description: ToolDescription;
  readonly arguments: readonly Argument[];
  /** Of the body, where the operation takes one. */
  readonly mediaType?: string;
}

/** Headers that decide where a request goes, how it is framed or who it is from: no argument may set them. */
const RESERVED =
  /^(authorization|proxy-.*|host|cookie|content-.*|transfer-encoding|connection|upgrade|te|trailer|expect|forwarded|x-forwarded-.*|x-real-ip|idempotency-key|accept|accept-encoding|sec-.*|mcp-.*|traceparent|tracestate)$/i;

interface Builder {
  readonly writer: SchemaWriter;
  readonly properties: { [key: string]: Json };
  readonly required: string[];
  readonly arguments: Argument[];
}

/** Turns one operation into a tool: parameters become properties, a body becomes `body`. */
export function toolShape(operation: Operation, references: References, dialect: Dialect): ToolShape {
  const builder: Builder = {
    writer: new SchemaWriter(references, dialect),
    properties: {},
    required: [],
    arguments: [],
  };
  for (const parameter of parametersOf(operation, references)) addParameter(builder, parameter, dialect);
  addMissingPathParameters(builder, operation.path);
  const mediaType =
    dialect === "swagger-2" ? swaggerMediaType(builder, operation) : addBody(builder, operation, references);
  const { summary, description } = operation.operation.value;
  const text = [summary, description].filter((each) => typeof each === "string" && each !== "").join("\n\n");
  const { definitions } = builder.writer;
  return {
    description: {
      name: operation.name,
      description: text === "" ? `${operation.method.toUpperCase()} ${operation.path}` : text.slice(0, 4096),
      inputSchema: {
        type: "object",
        properties: builder.properties,
        ...(builder.required.length === 0 ? {} : { required: builder.required }),
        ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }),
      },
    },
    arguments: builder.arguments,
    ...(mediaType === undefined ? {} : { mediaType }),
  };
}

/** The path's own parameters, overridden by the operation's of the same name and place. */
function parametersOf({ item, operation }: Operation, references: References): readonly (Located & { value: Node })[] {
  const found = new Map<string, Located & { value: Node }>();
  for (const owner of [item, operation]) {
    const list = references.follow({ ...owner, value: (owner.value as Node).parameters }).value;
    for (const each of Array.isArray(list) ? list : []) {
      const parameter = references.follow({ ...owner, value: each });
      if (!isNode(parameter.value) || typeof parameter.value.name !== "string") continue;
      found.set(`${parameter.value.in} ${parameter.value.name}`, { ...parameter, value: parameter.value });
    }
  }
  return [...found.values()];
}

function addParameter(builder: Builder, parameter: Located & { readonly value: Node }, dialect: Dialect): void {
  const { value } = parameter;
  const name = value.name as string;
  if (value.in === "body") {
    add(
      builder,
      { name: "body", place: "body", style: "json", explode: false },
      { ...parameter, value: value.schema ?? {} },
      value,
    );
    return;
  }
  const place = value.in === "formData" ? "form" : (value.in as Place);
  if (place !== "path" && place !== "query" && place !== "header" && place !== "form") return;
  if (place === "header" && RESERVED.test(name)) return;
  const content = isNode(value.content) ? Object.values(value.content).find(isNode) : undefined;
  const schema = dialect === "swagger-2" ? swaggerSchema(value) : (value.schema ?? content?.schema ?? {});
  const style = content !== undefined ? "json" : styleOf(value, place);
  const explode = typeof value.explode === "boolean" ? value.explode : style === "form" || style === "multi";
  add(builder, { name, place, style, explode }, { ...parameter, value: schema }, value);
}

function add(
  builder: Builder,
  { name, place, style, explode }: Omit<Argument, "argument">,
  schema: Located,
  source: Node,
): void {
  const plain = name.replaceAll(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64) || place;
  const free = plain === "__proto__" ? "proto" : plain;
  let argument = Object.hasOwn(builder.properties, free) ? `${free}_${place}` : free;
  while (Object.hasOwn(builder.properties, argument)) argument += "_";
  const written = builder.writer.write(schema);
  const described =
    typeof source.description === "string" && isNode(written) && written.description === undefined
      ? { ...(written as { [key: string]: Json }), description: source.description }
      : written;
  builder.properties[argument] = described;
  if (source.required === true || place === "path") builder.required.push(argument);
  builder.arguments.push({ argument, name, place, style, explode });
}

function addMissingPathParameters(builder: Builder, path: string): void {
  for (const [, name = ""] of path.matchAll(/\{([^}]+)\}/g)) {
    if (builder.arguments.some((each) => each.place === "path" && each.name === name)) continue;
    const schema: Located = { value: { type: "string" }, root: {}, address: "" };
    add(builder, { name, place: "path", style: "simple", explode: false }, schema, {});
  }
}

function addBody(builder: Builder, { operation }: Operation, references: References): string | undefined {
  const body = references.follow({ ...operation, value: operation.value.requestBody });
  if (!isNode(body.value) || !isNode(body.value.content)) return undefined;
  const types = Object.keys(body.value.content);
  const mediaType =
    types.find((type) => /^application\/json\b/.test(type)) ??
    types.find((type) => /\+json\b/.test(type)) ??
    types.find((type) => /^application\/x-www-form-urlencoded\b|^multipart\/form-data\b/.test(type)) ??
    types[0];
  if (mediaType === undefined) return undefined;
  const content = references.follow({ ...body, value: body.value.content[mediaType] });
  const schema = isNode(content.value) ? (content.value.schema ?? {}) : {};
  add(
    builder,
    { name: "body", place: "body", style: "json", explode: false },
    { ...content, value: schema },
    body.value,
  );
  return mediaType.includes("*") ? "application/json" : mediaType;
}

function swaggerMediaType({ arguments: list }: Builder, { operation }: Operation): string | undefined {
  const consumes = (Array.isArray(operation.value.consumes) ? operation.value.consumes : []) as readonly unknown[];
  if (list.some(({ place }) => place === "form")) {
    return consumes.includes("multipart/form-data") ? "multipart/form-data" : "application/x-www-form-urlencoded";
  }
  return list.some(({ place }) => place === "body") ? "application/json" : undefined;
}

function swaggerSchema({ name, in: place, required, description, collectionFormat, ...schema }: Node): Node {
  return schema;
}

function styleOf({ style, collectionFormat }: Node, place: Place): string {
  if (typeof style === "string") return style;
  if (typeof collectionFormat === "string") return collectionFormat;
  return place === "query" || place === "form" ? "form" : "simple";
}
