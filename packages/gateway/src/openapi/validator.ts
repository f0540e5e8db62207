import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { RE2JS } from "re2js";
import type { Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";

/**
 * Checks arguments against a tool's schema. Patterns run on RE2, in linear time; one that RE2 cannot read (look-around,
 * back references) is not checked.
 */
export function argumentValidator(tool: string, schema: Json): (args: Json) => void {
  const validate = compile(schema);
  return (args) => {
    if (validate(args)) return;
    const [error] = validate.errors ?? [];
    const place = error === undefined || error.instancePath === "" ? "The arguments" : `Argument ${error.instancePath}`;
    throw new GatewayError("GATEWAY_INVALID", `${place} of ${tool} ${error?.message ?? "do not fit its schema"}.`);
  };
}

export function compile(schema: Json): ValidateFunction {
  const ajv = new Ajv2020({
    strict: false,
    validateSchema: false,
    validateFormats: false,
    logger: false,
    inlineRefs: false,
    code: { regExp: Object.assign(linearPattern, { code: "linearPattern" }) },
  });
  return ajv.compile(schema as object);
}

function linearPattern(pattern: string): { test(text: string): boolean } {
  try {
    const compiled = RE2JS.compile(pattern);
    return { test: (text) => compiled.matcher(text).find() };
  } catch {
    return { test: () => true };
  }
}
