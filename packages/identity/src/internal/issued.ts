import type { AccessToken, AccessTokens } from "../access-tokens.ts";
import type { OAuthServer } from "../credential.ts";
import type { CallContext } from "../dialect.ts";
import { IdentityError } from "../errors.ts";
import type { OpenedCredential } from "./credential-rows.ts";

/** A secret made ready for one call. */
export interface Issued {
  /** What a placeholder stands for. */
  readonly value: string;
  /** What the `authorization` header holds. */
  readonly authorization: string;
  /** Everything that must not come back. */
  readonly secrets: readonly string[];
  /** The value is bound to a key, and counts with a proof for the request alone. */
  readonly prove?: AccessToken["prove"];
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
      const grant = { reference: row.reference, credential: row.id, recordId, version, secret: server };
      const { value, prove } = await tokens.accessToken(context, grant);
      const own = [secret.clientSecret, secret.kind === "jwt_bearer" ? secret.privateKey : undefined];
      const secrets = [value, ...own.filter((each) => each !== undefined)];
      if (prove === undefined) return { value, authorization: `Bearer ${value}`, secrets };
      return { value, authorization: `DPoP ${value}`, secrets, prove };
    }
  }
}
