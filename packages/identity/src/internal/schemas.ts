import { z } from "zod";
import type { CredentialKind, CredentialOwner, CredentialSecret, NewCredential, Surface } from "../credential.ts";
import { matchSecret } from "./match-secret.ts";

/** Below this a value cannot be told from ordinary text when it comes back. */
const secret = z.string().min(8).max(65_536);
const of = (pattern: RegExp) => (text: string) => matchSecret(pattern, text) !== null;
const short = z.string().min(1).max(1024);
const token = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/, "not a token as HTTP spells one");

const server = {
  issuer: z.url().optional(),
  tokenEndpoint: z.url().optional(),
  clientId: short,
  clientSecret: secret.optional(),
  scopes: z.array(short).max(64).optional(),
  resource: z.url().optional(),
  audience: short.optional(),
  dpop: z.boolean().optional(),
};
const placed = <T extends { issuer?: string | undefined; tokenEndpoint?: string | undefined }>(
  schema: z.ZodType<T>,
): z.ZodType<T> =>
  schema.refine(({ issuer, tokenEndpoint }) => issuer !== undefined || tokenEndpoint !== undefined, {
    message: "name the issuer or the tokenEndpoint",
  });

export const secretSchema: z.ZodType<CredentialSecret> = z.union([
  z.strictObject({ kind: z.literal("bearer"), token: secret.refine(of(/^[\x21-\x7e]+$/), "not a token") }),
  z.strictObject({
    kind: z.literal("api_key"),
    key: secret.refine(of(/^[\x20-\x7e]+$/), "printable ASCII only"),
    in: z.enum(["header", "query", "cookie"]),
    name: token,
  }),
  z.strictObject({
    kind: z.literal("basic"),
    username: z.string().refine(of(/^[^:]{1,1024}$/), "1 to 1024 characters without a colon"),
    password: secret,
  }),
  z.strictObject({
    kind: z.literal("environment"),
    name: z.string().regex(/^[A-Za-z_]\w{0,127}$/, "not a variable's name"),
    value: secret,
  }),
  placed(z.strictObject({ kind: z.literal("oauth2_client_credentials"), ...server })),
  placed(
    z.strictObject({
      kind: z.literal("oauth2_authorization_code"),
      ...server,
      authorizationEndpoint: z.url().optional(),
      redirectUri: z.url(),
      grants: z.enum(["user", "shared"]).optional(),
    }),
  ),
  placed(
    z.strictObject({
      kind: z.literal("jwt_bearer"),
      ...server,
      privateKey: secret,
      algorithm: z.enum(["RS256", "PS256", "ES256", "EdDSA"]),
      keyId: short.optional(),
      subject: short,
      assertionAudience: short.optional(),
    }),
  ),
  placed(z.strictObject({ kind: z.literal("token_exchange"), ...server, subjectAudience: short.optional() })),
]) as z.ZodType<CredentialSecret>;

const host = z
  .string()
  .regex(
    /^(https?:\/\/)?(\*\.)?([a-zA-Z0-9]([\w-]{0,62}\.?)+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?$/,
    "not a host, as api.example.com, *.example.com or 127.0.0.1:8080",
  );

const surface: z.ZodType<unknown> = z.union([
  z.strictObject({ in: z.enum(["header", "query", "cookie"]), name: token }),
  z.strictObject({ in: z.literal("body"), name: short }),
  z.strictObject({ in: z.literal("environment"), name: z.string().regex(/^[A-Za-z_]\w{0,127}$/) }),
]);

const owner: z.ZodType<unknown> = z.union([z.strictObject({ user: short }), z.strictObject({ agent: short })]);
const principals: z.ZodType<unknown> = z.strictObject({
  agents: z.array(short).optional(),
  users: z.array(short).optional(),
});

export const newCredentialSchema: z.ZodType<NewCredential> = z.strictObject({
  reference: z.string(),
  owner: owner.optional(),
  hosts: z.array(host).min(1).max(64),
  surfaces: z.array(surface).max(32).optional(),
  principals: principals.optional(),
  secret: z.unknown(),
}) as unknown as z.ZodType<NewCredential>;

/** At most a year: a version that is meant to stay is no rotation. */
export const graceSchema: z.ZodType<number> = z.number().min(0).max(31_536_000_000);

export interface CredentialVersion {
  version: number;
  createdAt: number;
  retiresAt?: number;
  sealed?: string;
}

/** A credential as it is stored: all but the sealed versions is plain, and covered by their additional data. */
export interface CredentialRow {
  reference: string;
  id: string;
  kind: CredentialKind;
  owner?: CredentialOwner;
  hosts: string[];
  surfaces: Surface[];
  principals?: { readonly agents?: readonly string[]; readonly users?: readonly string[] };
  createdAt: number;
  archivedAt?: number;
  versions: CredentialVersion[];
}

export const rowSchema: z.ZodType<CredentialRow> = z.object({
  reference: z.string(),
  id: z.string(),
  kind: z.string(),
  owner: owner.optional(),
  hosts: z.array(z.string()),
  surfaces: z.array(surface),
  principals: principals.optional(),
  createdAt: z.number(),
  archivedAt: z.number().optional(),
  versions: z.array(
    z.object({
      version: z.number(),
      createdAt: z.number(),
      retiresAt: z.number().optional(),
      sealed: z.string().optional(),
    }),
  ),
}) as unknown as z.ZodType<CredentialRow>;
