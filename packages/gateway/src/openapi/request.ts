import type { OutboundRequest } from "../credential-injector.ts";
import type { Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import type { Argument, ToolShape } from "./tool-shape.ts";

type Arguments = { readonly [key: string]: Json };

/** Writes the request of one call. No argument can change its host, its path's shape or its framing. */
export function buildRequest(
  base: string,
  method: string,
  path: string,
  shape: ToolShape,
  args: Arguments,
): OutboundRequest {
  const given = shape.arguments.filter(({ argument }) => Object.hasOwn(args, argument) && args[argument] !== undefined);
  const of = (place: Argument["place"]) => given.filter((each) => each.place === place);
  const url = new URL(base);
  const filled = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    const argument = of("path").find((each) => each.name === name);
    return segment(name, argument === undefined ? undefined : args[argument.argument]);
  });
  url.pathname = `${url.pathname.replace(/\/$/, "")}${filled}`;
  for (const argument of of("query")) {
    for (const [name, value] of pairs(argument, args[argument.argument] ?? null)) url.searchParams.append(name, value);
  }
  const headers: Record<string, string> = { accept: "application/json, */*;q=0.5" };
  for (const { name, argument } of of("header"))
    headers[name.toLowerCase()] = headerValue(name, args[argument] ?? null);
  const body = bodyOf(shape.mediaType, of("body"), of("form"), args);
  if (body !== undefined) headers["content-type"] = body.type;
  return { method: method.toUpperCase(), url: url.href, headers, ...(body === undefined ? {} : { body: body.bytes }) };
}

/** One path segment. `encodeURIComponent("..")` is `..`: dots alone would climb, so they are refused. */
function segment(name: string, value: Json | undefined): string {
  const text = Array.isArray(value) ? value.map(text1).join(",") : text1(value ?? null);
  if (text === "" || text === "." || text === "..") {
    throw new GatewayError("GATEWAY_INVALID", `The path parameter ${name} may not be empty, "." or "..".`);
  }
  return encodeURIComponent(text);
}

const text1 = (value: Json): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);

function* pairs({ name, style, explode }: Argument, value: Json): Iterable<readonly [string, string]> {
  if (style === "json") return yield [name, JSON.stringify(value)];
  if (Array.isArray(value)) {
    if (explode || style === "multi") for (const each of value) yield [name, text1(each)];
    else yield [name, value.map(text1).join(separators[style] ?? ",")];
    return;
  }
  if (typeof value !== "object" || value === null) return yield [name, text1(value)];
  const entries = Object.entries(value);
  if (style === "deepObject") for (const [key, each] of entries) yield [`${name}[${key}]`, text1(each)];
  else if (explode) for (const [key, each] of entries) yield [key, text1(each)];
  else yield [name, entries.flatMap(([key, each]) => [key, text1(each)]).join(",")];
}

const separators: Readonly<Record<string, string>> = {
  ssv: " ",
  tsv: "\t",
  pipes: "|",
  pipeDelimited: "|",
  spaceDelimited: " ",
};

function headerValue(name: string, value: Json): string {
  const text = Array.isArray(value) ? value.map(text1).join(",") : text1(value);
  if (/[^\t\x20-\x7e]/.test(text)) {
    throw new GatewayError(
      "GATEWAY_INVALID",
      `The header parameter ${name} has characters that a header cannot carry.`,
    );
  }
  return text;
}

interface Body {
  readonly type: string;
  readonly bytes: Uint8Array;
}

function bodyOf(
  mediaType: string | undefined,
  [body]: readonly Argument[],
  form: readonly Argument[],
  args: Arguments,
): Body | undefined {
  const fields = form.map(({ name, argument }) => [name, args[argument] ?? null] as const);
  const value = body === undefined ? undefined : args[body.argument];
  if (fields.length === 0 && value === undefined) return undefined;
  const type = mediaType ?? "application/json";
  const entries =
    fields.length > 0
      ? fields
      : typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(value)
        : [];
  if (type.startsWith("application/x-www-form-urlencoded")) {
    const search = new URLSearchParams();
    for (const [name, each] of entries) for (const one of [each].flat() as Json[]) search.append(name, text1(one));
    return { type, bytes: Buffer.from(search.toString()) };
  }
  if (type.startsWith("multipart/form-data")) return multipart(entries);
  if (/[/+]json\b/.test(type)) return { type, bytes: Buffer.from(JSON.stringify(value)) };
  return { type, bytes: Buffer.from(typeof value === "string" ? value : JSON.stringify(value)) };
}

/** RFC 7578; names are percent-encoded where they could end a header or a quote. */
function multipart(entries: readonly (readonly [string, Json])[]): Body {
  const boundary = `ashlar-${crypto.randomUUID()}`;
  const quoted = (name: string) => name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const parts = entries.map(
    ([name, value]) =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"\r\n\r\n${text1(value)}\r\n`,
  );
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    bytes: Buffer.from(`${parts.join("")}--${boundary}--\r\n`),
  };
}
