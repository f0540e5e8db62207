import { type Answer, jsonAnswer } from "../answer.ts";
import type { ScopeError } from "../scope-guard.ts";
import { problemAnswer, problemOf } from "./problem.ts";

/** RFC 9728: who issues tokens for this gateway. */
export interface ResourceMetadata {
  /** The gateway's own public address, the audience of its tokens. */
  readonly resource: string;
  readonly authorizationServers: readonly string[];
  readonly scopes?: readonly string[];
}

/** 403 that says which scopes to come back with. */
export function stepUp(error: ScopeError, resource: ResourceMetadata | undefined): Answer {
  return problemAnswer(problemOf(error), { "www-authenticate": scopeChallenge(error, resource) });
}

export function scopeChallenge({ scopes, message }: ScopeError, resource: ResourceMetadata | undefined): string {
  const parameters = ['realm="gateway"', 'error="insufficient_scope"', `scope="${scopes.join(" ")}"`];
  if (resource !== undefined) parameters.push(metadataOf(resource));
  parameters.push(`error_description="${message.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'")}"`);
  return `Bearer ${parameters.join(", ")}`;
}

const metadataOf = ({ resource }: ResourceMetadata): string =>
  `resource_metadata="${new URL(METADATA_PATH, resource).href}"`;

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
    parameters.push(metadataOf(resource));
    if (resource.scopes !== undefined) parameters.push(`scope="${resource.scopes.join(" ")}"`);
  }
  const detail = refused ?? `${request.method} needs credentials: send an Authorization header.`;
  return problemAnswer(
    { status: 401, code: "GATEWAY_UNAUTHENTICATED", kind: "unauthenticated", detail, retryable: false },
    { "www-authenticate": `Bearer ${parameters.join(", ")}` },
  );
}
