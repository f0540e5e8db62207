import type { Span } from "@opentelemetry/api";
import type { AccessTokens } from "./access-tokens.ts";
import type { AuditLog } from "./audit-log.ts";
import { type CallContext, type Clock, type Redactor, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { CredentialRows } from "./internal/credential-rows.ts";
import { parseUrl } from "./internal/hosts.ts";
import { issue } from "./internal/issued.ts";
import { place } from "./internal/placement.ts";
import { parseReference } from "./internal/reference.ts";
import { inSpan } from "./internal/spans.ts";
import { denial } from "./internal/use.ts";
import type { Keyring } from "./keyring.ts";
import { LeakGuard } from "./leak-guard.ts";
import type { OutboundRequest } from "./outbound-request.ts";
import type { Permissions } from "./permissions.ts";

export interface InjectorDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  readonly audit: AuditLog;
  readonly clock?: Clock;
  /** Needed by the OAuth kinds. */
  readonly tokens?: AccessTokens;
  /** Learns every secret that is issued, for redaction of everything this process writes. */
  readonly guard?: LeakGuard;
  /** Asked `credential.use` on the reference for each use, beside the credential's own binding. */
  readonly permissions?: Permissions;
}

/**
 * Puts a credential into a request at the moment it leaves. The value is opened for that call and is in no error,
 * span or audit row. The use is on record before the request is handed back.
 */
export class Injector {
  readonly #rows: CredentialRows;
  readonly #audit: AuditLog;
  readonly #tokens: AccessTokens | undefined;
  readonly #guard: LeakGuard | undefined;
  readonly #permissions: Permissions | undefined;

  constructor({ store, keyring, audit, clock = systemClock, tokens, guard, permissions }: InjectorDeps) {
    this.#rows = new CredentialRows({ store, keyring, clock });
    this.#audit = audit;
    this.#tokens = tokens;
    this.#guard = guard;
    this.#permissions = permissions;
  }

  /**
   * Throws `IDENTITY_REFERENCE_UNKNOWN`, or `IDENTITY_REFERENCE_DENIED` when the principal or the host is not one that
   * the credential is bound to, or a policy does not allow the use. Run `redactor` over all that comes back: headers, body, errors.
   */
  inject(
    context: CallContext,
    reference: string,
    request: OutboundRequest,
  ): Promise<{ readonly request: OutboundRequest; readonly redactor: Redactor }> {
    return inSpan("identity.inject", (span) => this.#inject(context, reference, request, span));
  }

  async #inject(context: CallContext, text: string, request: OutboundRequest, span: Span) {
    const url = parseUrl(request.url);
    const reference = parseReference(text);
    span.setAttributes({
      "ashlar.tenant": context.principal.tenant,
      "ashlar.credential.reference": reference.text,
      "server.address": url.hostname,
    });
    const use = { reference: reference.text, host: url.host };
    const stored = await this.#audited(context, use, () => this.#rows.resolve(context, reference));
    const { row } = stored;
    const surface = row.surfaces.find((each) => each.in !== "environment");
    const reason = surface && (await denial(context, row, request, url, this.#permissions));
    if (surface === undefined || reason !== undefined) {
      const why = reason ?? "it has no surface that a request has";
      await this.#record(context, "deny", { ...use, reason: why });
      throw new IdentityError("IDENTITY_REFERENCE_DENIED", `${row.reference} was not used: ${why}.`);
    }
    return this.#audited(context, use, async () => {
      const opened = await this.#rows.openVersion(context.principal.tenant, stored, reference.version);
      const issued = await issue(context, opened, this.#tokens);
      for (const secret of issued.secrets) this.#guard?.add(secret);
      const placed = await place(request, url, surface, issued);
      await this.#record(context, "allow", { ...use, version: opened.version });
      return { request: placed, redactor: new LeakGuard(issued.secrets) };
    });
  }

  async #audited<T>(context: CallContext, use: { reference: string; host: string }, body: () => Promise<T>) {
    try {
      return await body();
    } catch (error) {
      if (IdentityError.is(error)) await this.#record(context, "deny", { ...use, reason: error.code });
      throw error;
    }
  }

  #record(
    context: CallContext,
    decision: "allow" | "deny",
    entry: { reference: string; version?: number; host: string; reason?: string },
  ): Promise<unknown> {
    return this.#audit.record(context, { action: "credential.inject", decision, ...entry });
  }
}
