import type { Surface } from "../credential.ts";
import { IdentityError } from "../errors.ts";
import type { OutboundRequest } from "../outbound-request.ts";
import type { Issued } from "./issued.ts";
import { matchSecret } from "./match-secret.ts";
import { BodyFields, readBody, withBody } from "./request-body.ts";

/** Puts the value where the binding says, in place of whatever the caller had put there. */
export async function place(
  request: OutboundRequest,
  url: URL,
  surface: Surface,
  issued: Issued,
): Promise<OutboundRequest> {
  const name = surface.name.toLowerCase();
  if (issued.prove !== undefined) return placeProven(request, url, surface, issued);
  if (surface.in === "header") {
    const value = name === "authorization" ? issued.authorization : issued.value;
    return { ...request, headers: { ...without(request.headers, name), [surface.name]: headerValue(value) } };
  }
  if (surface.in === "query") {
    const target = new URL(url);
    target.searchParams.set(surface.name, issued.value);
    return { ...request, url: target.href };
  }
  if (surface.in === "body") return placeInBody(request, surface.name, issued.value);
  const kept = cookies(request.headers).filter(([cookie]) => cookie !== surface.name);
  const cookie = [...kept, [surface.name, encodeURIComponent(issued.value)]].map((pair) => pair.join("=")).join("; ");
  return { ...request, headers: { ...without(request.headers, "cookie"), cookie } };
}

/** A nonce that the resource asked for comes as the request's own `dpop-nonce`, and goes no further. */
async function placeProven(request: OutboundRequest, url: URL, surface: Surface, issued: Issued) {
  if (surface.in !== "header" || surface.name.toLowerCase() !== "authorization") {
    throw new IdentityError("IDENTITY_INVALID", "A token that is bound to a key goes into `authorization` alone.");
  }
  const nonce = Object.entries(request.headers).find(([name]) => name.toLowerCase() === "dpop-nonce")?.[1];
  const proven = { method: request.method, url, ...(nonce === undefined ? {} : { nonce }) };
  const kept = ["authorization", "dpop", "dpop-nonce"].reduce(without, request.headers);
  const dpop = (await issued.prove?.(proven)) ?? "";
  return { ...request, headers: { ...kept, authorization: headerValue(issued.authorization), dpop } };
}

async function placeInBody(request: OutboundRequest, field: string, value: string): Promise<OutboundRequest> {
  const { bytes } = await readBody(request.body);
  const fields = bytes === undefined ? undefined : BodyFields.read(request, bytes);
  fields?.change(field, () => value);
  if (fields?.changed) return withBody(request, fields.text);
  throw new IdentityError(
    "IDENTITY_INVALID",
    `The credential belongs into the body's field ${field}, and the body is no JSON object or form of at most 1 MiB that has room for it.`,
  );
}

/** Refuses what `Headers` would refuse with an error that quotes the whole value. */
export function headerValue(value: string): string {
  if (matchSecret(/^[\t\x20-\x7e\x80-\xff]*$/, value)) return value;
  throw new IdentityError("IDENTITY_INVALID", "The credential's value cannot stand in a header: use another surface.");
}

export function cookies(headers: OutboundRequest["headers"]): [string, string][] {
  const text = Object.entries(headers).find(([name]) => name.toLowerCase() === "cookie")?.[1] ?? "";
  return text
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
    });
}

const without = (headers: OutboundRequest["headers"], name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([each]) => each.toLowerCase() !== name));
