import { access, readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { ApiKeys, InboundAuthenticator } from "@ashlar/gateway";
import { TrustedIssuer } from "@ashlar/identity";
import type { AuthDefinition } from "./definition.ts";
import { type Options, UsageError } from "./options.ts";

/** An API key, or a token of this installation or of an issuer that auth.yaml names. Never nobody. */
export function authentication(keys: ApiKeys, tokens: InboundAuthenticator): InboundAuthenticator {
  return {
    authenticate: (request) => {
      const given = request.headers.get("authorization");
      const isKey = given === null || /^Bearer ashlar\./i.test(given);
      return isKey ? keys.authenticate(request) : tokens.authenticate(request);
    },
  };
}

export function trustedIssuers(auth: AuthDefinition | undefined, tenant: string): readonly TrustedIssuer[] {
  return (auth?.issuers ?? []).map(
    ({ issuer, audience, tenant_claim, user_claim }) =>
      new TrustedIssuer({
        issuer,
        audience,
        principal(claims) {
          const user = claims[user_claim];
          const named = tenant_claim === undefined ? tenant : claims[tenant_claim];
          return typeof user === "string" && typeof named === "string" ? { tenant: named, user } : undefined;
        },
      }),
  );
}

/** A server that others can reach must have been told who may come in. */
export function refuseOpenDoor({ host }: Options, auth: AuthDefinition | undefined): void {
  if (isLoopback(host) || auth?.api_keys === true || (auth?.issuers.length ?? 0) > 0) return;
  throw new UsageError(
    `--host ${host} can be reached by others and no auth is configured: add auth.yaml to the definitions ` +
      "(`api_keys: true`, or `issuers`), or listen on 127.0.0.1.",
  );
}

/** The names by which this server is called; a page of any other name is refused (DNS rebinding). */
export function ownNames({ host }: Options, auth: AuthDefinition | undefined): readonly string[] {
  return [...(isLoopback(host) ? ["127.0.0.1", "localhost", "[::1]"] : [host]), ...(auth?.hosts ?? [])];
}

/** The operator's key, made at the first start and kept where only this user reads it. */
export async function operatorKey(keys: ApiKeys, { data, tenant }: Options): Promise<string> {
  const file = join(data, "operator.key");
  const known = await access(file).then(
    () => readFile(file, "utf8"),
    () => undefined,
  );
  if (known !== undefined) return file;
  const { key } = await keys.create({ tenant, user: "operator" });
  await writeFile(file, `${key}\n`, { mode: 0o600, flag: "wx" });
  return file;
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
