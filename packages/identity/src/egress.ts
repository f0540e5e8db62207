import type { AccessTokens } from "./access-tokens.ts";
import type { AuditLog } from "./audit-log.ts";
import { type CallContext, type Principal, type Redactor, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import type { InjectorDeps } from "./injector.ts";
import { CredentialRows, mayUse, unknown, usableRows } from "./internal/credential-rows.ts";
import { parseUrl } from "./internal/hosts.ts";
import { issue } from "./internal/issued.ts";
import { requireTenant } from "./internal/parse.ts";
import { parseReference } from "./internal/reference.ts";
import { Draft, PLACEHOLDER } from "./internal/substitution.ts";
import { denial } from "./internal/use.ts";
import type { Keyring } from "./keyring.ts";
import { LeakGuard } from "./leak-guard.ts";
import type { OutboundRequest } from "./outbound-request.ts";
import type { Permissions } from "./permissions.ts";

/** The same parts as the injector's. */
export type EgressDeps = InjectorDeps;

/**
 * Secrets for code in a sandbox: the code holds placeholders, and the proxy that carries its requests asks here for
 * the values. A placeholder is worthless outside: it stands for a reference in one session, and is exchanged only in
 * the surfaces and for the hosts that the credential is bound to.
 */
export class Egress {
  readonly #store: IdentityStore;
  readonly #keyring: Keyring;
  readonly #audit: AuditLog;
  readonly #tokens: AccessTokens | undefined;
  readonly #guard: LeakGuard | undefined;
  readonly #permissions: Permissions | undefined;
  readonly #rows: CredentialRows;

  constructor({ store, keyring, audit, clock = systemClock, tokens, guard, permissions }: EgressDeps) {
    this.#store = store;
    this.#keyring = keyring;
    this.#audit = audit;
    this.#tokens = tokens;
    this.#guard = guard;
    this.#permissions = permissions;
    this.#rows = new CredentialRows({ store, keyring, clock });
  }

  /** What the sandbox gets in place of the value. The same for the same session and reference, also after a restart. */
  async placeholder(context: CallContext, reference: string): Promise<string> {
    const stored = await this.#rows.resolve(context, parseReference(reference));
    if (!mayUse(stored.row, context.principal)) throw unknown({ text: stored.row.reference });
    return this.#placeholder(context.principal, stored.recordId);
  }

  /** Variables for a sandbox: those of `environment` credentials and surfaces, with placeholders as values. */
  async environment(context: CallContext): Promise<Readonly<Record<string, string>>> {
    const variables: Record<string, string> = {};
    for (const { recordId, row } of await usableRows(this.#store, context.principal)) {
      for (const surface of row.surfaces) {
        if (surface.in === "environment") {
          variables[surface.name] = await this.#placeholder(context.principal, recordId);
        }
      }
    }
    return variables;
  }

  /** Hosts, as `host` or `host:port`, for which this principal has a credential: TLS ends at the proxy for these only. */
  async hosts(context: CallContext): Promise<readonly string[]> {
    const hosts = (await usableRows(this.#store, context.principal)).flatMap(({ row }) => row.hosts);
    return [...new Set(hosts.map((entry) => entry.replace(/^https?:\/\//, "")))];
  }

  /**
   * Exchanges the placeholders in the request. Throws `IDENTITY_REFERENCE_DENIED`, and nothing may be sent, when one
   * stands in the URL or a header where it does not belong, or the host is not one that it is bound to.
   */
  async substitute(
    context: CallContext,
    request: OutboundRequest,
  ): Promise<{ readonly request: OutboundRequest; readonly redactor: Redactor }> {
    const url = parseUrl(request.url);
    const draft = await Draft.of(request, url);
    const redactor = new LeakGuard();
    if (!draft.hasPlaceholder) return { request: draft.request, redactor };
    for (const stored of await usableRows(this.#store, context.principal)) {
      const placeholder = await this.#placeholder(context.principal, stored.recordId);
      if (!draft.has(placeholder)) continue;
      const { row } = stored;
      const reason = await denial(context, row, request, url, this.#permissions);
      if (reason !== undefined) await this.#deny(context, row.reference, url.host, reason);
      const opened = await this.#rows.openVersion(context.principal.tenant, stored);
      const issued = await issue(context, opened, this.#tokens);
      for (const secret of [...issued.secrets, ...draft.replace(placeholder, issued.value, row.surfaces)]) {
        redactor.add(secret);
        this.#guard?.add(secret);
      }
      if (issued.prove !== undefined) draft.prove(await issued.prove({ method: request.method, url }));
      if (draft.has(placeholder)) {
        await this.#deny(context, row.reference, url.host, "it stands where the credential may not be put");
      }
      await this.#audit.record(context, {
        action: "credential.substitute",
        decision: "allow",
        reference: row.reference,
        version: opened.version,
        host: url.host,
      });
    }
    if (draft.hasPlaceholder) await this.#deny(context, undefined, url.host, "a placeholder is unknown here");
    return { request: draft.request, redactor };
  }

  async #placeholder({ tenant, agent, session, user }: Principal, recordId: string): Promise<string> {
    const mac = await this.#keyring.mac(requireTenant(tenant), "placeholder");
    const holder = session === undefined ? [null, agent ?? null, user ?? null] : [session];
    return `${PLACEHOLDER}${mac(JSON.stringify([holder, recordId]))
      .toString("base64url")
      .slice(0, 32)}`;
  }

  async #deny(context: CallContext, reference: string | undefined, host: string, reason: string): Promise<never> {
    const named = reference === undefined ? {} : { reference };
    await this.#audit.record(context, { action: "credential.substitute", decision: "deny", host, reason, ...named });
    throw new IdentityError("IDENTITY_REFERENCE_DENIED", `${reference ?? "A placeholder"} was not used: ${reason}.`);
  }
}
