import type { Json } from "../dialect.ts";
import { type Dialect, isNode, type Node } from "./document.ts";
import type { Located, References } from "./references.ts";

const KEPT = new Set([
  "type",
  "format",
  "title",
  "description",
  "default",
  "enum",
  "const",
  "multipleOf",
  "maximum",
  "minimum",
  "exclusiveMaximum",
  "exclusiveMinimum",
  "maxLength",
  "minLength",
  "pattern",
  "maxItems",
  "minItems",
  "uniqueItems",
  "maxProperties",
  "minProperties",
  "required",
  "examples",
  "contentEncoding",
  "contentMediaType",
  "minContains",
  "maxContains",
  "dependentRequired",
  "deprecated",
]);
const ONE_SCHEMA = new Set([
  "not",
  "if",
  "then",
  "else",
  "contains",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
]);
const SCHEMA_LIST = new Set(["allOf", "anyOf", "oneOf", "prefixItems"]);
const SCHEMA_MAP = new Set(["properties", "patternProperties", "dependentSchemas"]);
const TYPES = new Set(["string", "number", "integer", "boolean", "object", "array", "null"]);

type Built = { [key: string]: Json };

/**
 * Schemas of one tool in JSON Schema 2020-12. What is referenced stands once under `$defs`, so that recursive types
 * stay finite; what a validator would choke on (unknown types, broken patterns, boolean bounds) is left out.
 */
export class SchemaWriter {
  readonly #references: References;
  readonly #dialect: Dialect;
  readonly #names = new Map<string, string>();
  readonly #definitions: Built = {};

  constructor(references: References, dialect: Dialect) {
    this.#references = references;
    this.#dialect = dialect;
  }

  get definitions(): Built {
    return this.#definitions;
  }

  write(located: Located): Json {
    const { value } = located;
    if (typeof value === "boolean") return value;
    if (!isNode(value)) return {};
    if (typeof value.$ref === "string") return this.#reference(located, value.$ref);
    const built: Built = {};
    for (const [key, entry] of Object.entries(value)) this.#keyword(built, key, { ...located, value: entry });
    if (this.#dialect !== "openapi-3.1") adapt(built, value);
    tidy(built);
    return built;
  }

  #reference(from: Located, reference: string): Json {
    const target = this.#references.target(from, reference);
    const key = `${target.address}#${reference.split("#")[1] ?? ""}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      name = this.#freeName(reference);
      this.#names.set(key, name);
      this.#definitions[name] = {};
      this.#definitions[name] = this.write(target);
    }
    return { $ref: `#/$defs/${name}` };
  }

  #freeName(reference: string): string {
    const last =
      reference
        .split(/[/#]/)
        .at(-1)
        ?.replaceAll(/[^A-Za-z0-9_.-]/g, "_") || "schema";
    const base = last === "__proto__" ? "proto" : last;
    for (let count = 1; ; count++) {
      const name = count === 1 ? base : `${base}_${count}`;
      if (!Object.hasOwn(this.#definitions, name)) return name;
    }
  }

  #keyword(built: Built, key: string, entry: Located): void {
    const { value } = entry;
    if (KEPT.has(key)) {
      if (value !== undefined) built[key] = value as Json;
    } else if (ONE_SCHEMA.has(key) || key === "additionalProperties" || key === "items") {
      if (key === "items" && Array.isArray(value))
        built.prefixItems = value.map((each) => this.write({ ...entry, value: each }));
      else built[key] = this.write(entry);
    } else if (SCHEMA_LIST.has(key) && Array.isArray(value)) {
      if (value.length > 0) built[key] = value.map((each) => this.write({ ...entry, value: each }));
    } else if (SCHEMA_MAP.has(key) && isNode(value)) {
      const map: [string, Json][] = [];
      for (const [name, each] of Object.entries(value)) {
        if (name !== "__proto__") map.push([name, this.write({ ...entry, value: each })]);
      }
      built[key] = Object.fromEntries(map);
    }
  }
}

/** What OpenAPI 3.0 and Swagger 2 say otherwise than JSON Schema 2020-12. */
function adapt(built: Built, source: Node): void {
  for (const [flag, bound] of [
    ["exclusiveMinimum", "minimum"],
    ["exclusiveMaximum", "maximum"],
  ] as const) {
    if (typeof source[flag] !== "boolean") continue;
    delete built[flag];
    if (source[flag] === true && typeof source[bound] === "number") {
      built[flag] = source[bound];
      delete built[bound];
    }
  }
  if (built.type === "file") Object.assign(built, { type: "string", contentEncoding: "base64" });
  const nullable = source.nullable === true || source["x-nullable"] === true;
  if (nullable && typeof built.type === "string") built.type = [built.type, "null"];
  if (nullable && Array.isArray(built.enum) && !built.enum.includes(null)) built.enum = [...built.enum, null];
}

const NUMBERS = [
  "multipleOf",
  "maximum",
  "minimum",
  "exclusiveMaximum",
  "exclusiveMinimum",
  "maxLength",
  "minLength",
  "maxItems",
  "minItems",
  "maxProperties",
  "minProperties",
  "minContains",
  "maxContains",
];

/** Real documents hold keywords of the wrong type; a validator would refuse the whole schema for one. */
function tidy(built: Built): void {
  const types = [built.type].flat().filter((type) => typeof type === "string" && TYPES.has(type));
  if (built.type !== undefined) {
    if (types.length === 0) delete built.type;
    else built.type = types.length === 1 ? (types[0] as string) : ([...new Set(types)] as string[]);
  }
  for (const key of NUMBERS) {
    const value = built[key];
    if (value === undefined) continue;
    const counted = /^(max|min)(Length|Items|Properties|Contains)$/.test(key);
    const bad =
      typeof value !== "number" ||
      (counted && (value < 0 || !Number.isInteger(value))) ||
      (key === "multipleOf" && value <= 0);
    if (bad) delete built[key];
  }
  const { required } = built;
  if (required !== undefined) {
    if (Array.isArray(required)) built.required = [...new Set(required.filter((name) => typeof name === "string"))];
    else delete built.required;
  }
  if (built.enum !== undefined) {
    if (!Array.isArray(built.enum) || built.enum.length === 0) delete built.enum;
    else built.enum = distinct(built.enum);
  }
  for (const key of ["pattern", "format", "title", "description", "contentEncoding", "contentMediaType"]) {
    if (built[key] !== undefined && typeof built[key] !== "string") delete built[key];
  }
  for (const key of ["uniqueItems", "deprecated"]) if (typeof built[key] !== "boolean") delete built[key];
  if (built.examples !== undefined && !Array.isArray(built.examples)) delete built.examples;
}

const distinct = (values: readonly Json[]): Json[] => [
  ...new Map(values.map((value) => [JSON.stringify(value), value])).values(),
];
