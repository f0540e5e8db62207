import { type Answer, jsonAnswer } from "../answer.ts";
import { problemAnswer } from "./problem.ts";

/** RFC 9728: who issues tokens for this gateway. */
export interface ResourceMetadata {
  /** The gateway's own public address, the audience of its tokens. */
  readonly resource: string;
  readonly authorizationServers: readonly string[];
  readonly scopes?: readonly string[];
}

const METADATA_PATH = "/.well-known/oauth-protected-resource";

export function protectedResourceMetadata({ resource, authorizationServers, scopes }: ResourceMetadata): Answer {
  return jsonAnswer(200, {
    resource,
    authorization_servers: authorizationServers,
    bearer_methods_supported: ["header"],
    ...(scopes === undefined ? {} : { scopes_supported: scopes }),
  });
}

/** 401 with the challenge of RFC 6750: an error only where a token was presented and is wrong. */
export function challenge(
  request: Request,
  resource: ResourceMetadata | undefined,
  refused: string | undefined,
): Answer {
  const parameters = ['realm="gateway"'];
  if (refused !== undefined) parameters.push('error="invalid_token"');
  if (resource !== undefined) {
    parameters.push(`resource_metadata="${new URL(METADATA_PATH, resource.resource).href}"`);
    if (resource.scopes !== undefined) parameters.push(`scope="${resource.scopes.join(" ")}"`);
  }
  const detail = refused ?? `${request.method} needs credentials: send an Authorization header.`;
  return problemAnswer(
    { status: 401, code: "GATEWAY_UNAUTHENTICATED", kind: "unauthenticated", detail, retryable: false },
    { "www-authenticate": `Bearer ${parameters.join(", ")}` },
  );
}
