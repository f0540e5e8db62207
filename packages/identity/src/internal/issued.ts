import type { AccessTokens } from "../access-tokens.ts";
import type { OAuthServer, Surface } from "../credential.ts";
import type { CallContext } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { OutboundRequest } from "../outbound-request.ts";
import type { OpenedCredential } from "./credential-rows.ts";

/** A secret made ready for one call. */
export interface Issued {
  /** What a placeholder stands for. */
  readonly value: string;
  /** What the `authorization` header holds. */
  readonly authorization: string;
  /** Everything that must not come back. */
  readonly secrets: readonly string[];
}

export async function issue(
  context: CallContext,
  { row, recordId, version, secret }: OpenedCredential,
  tokens: AccessTokens | undefined,
): Promise<Issued> {
  switch (secret.kind) {
    case "bearer":
      return { value: secret.token, authorization: `Bearer ${secret.token}`, secrets: [secret.token] };
    case "api_key":
      return { value: secret.key, authorization: secret.key, secrets: [secret.key] };
    case "environment":
      return { value: secret.value, authorization: secret.value, secrets: [secret.value] };
    case "basic": {
      const pair = Buffer.from(`${secret.username}:${secret.password}`).toString("base64");
      return { value: secret.password, authorization: `Basic ${pair}`, secrets: [secret.password, pair] };
    }
    default: {
      if (tokens === undefined) {
        throw new IdentityError(
          "IDENTITY_INVALID",
          `${row.reference} is of kind ${secret.kind}: give the injector its \`tokens\`, an OAuthTokens.`,
        );
      }
      const server: OAuthServer & { kind: typeof secret.kind } = secret;
      const grant = { reference: row.reference, recordId, version, secret: server };
      const token = await tokens.accessToken(context, grant);
      const own = [secret.clientSecret, secret.kind === "jwt_bearer" ? secret.privateKey : undefined];
      const secrets = [token, ...own.filter((each) => each !== undefined)];
      return { value: token, authorization: `Bearer ${token}`, secrets };
    }
  }
}

/** Puts the value where the binding says, in place of whatever the caller had put there. */
export function place(request: OutboundRequest, url: URL, surface: Surface, issued: Issued): OutboundRequest {
  const name = surface.name.toLowerCase();
  if (surface.in === "header") {
    const value = name === "authorization" ? issued.authorization : issued.value;
    return { ...request, headers: { ...without(request.headers, name), [surface.name]: headerValue(value) } };
  }
  if (surface.in === "query") {
    const target = new URL(url);
    target.searchParams.set(surface.name, issued.value);
    return { ...request, url: target.href };
  }
  const kept = cookies(request.headers).filter(([cookie]) => cookie !== surface.name);
  const cookie = [...kept, [surface.name, encodeURIComponent(issued.value)]].map((pair) => pair.join("=")).join("; ");
  return { ...request, headers: { ...without(request.headers, "cookie"), cookie } };
}

/** Refuses what `Headers` would refuse with an error that quotes the whole value. */
export function headerValue(value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
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
