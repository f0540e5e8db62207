import type { Span } from "@opentelemetry/api";
import type { AccessTokens } from "./access-tokens.ts";
import type { AuditLog } from "./audit-log.ts";
import { type CallContext, type Clock, type Redactor, systemClock } from "./dialect.ts";
import { IdentityError } from "./errors.ts";
import type { IdentityStore } from "./identity-store.ts";
import { CredentialRows, mayUse, type OpenedCredential } from "./internal/credential-rows.ts";
import { matchesHost, parseUrl } from "./internal/hosts.ts";
import { issue, place } from "./internal/issued.ts";
import { parseReference } from "./internal/reference.ts";
import { inSpan } from "./internal/spans.ts";
import type { Keyring } from "./keyring.ts";
import { LeakGuard } from "./leak-guard.ts";
import type { OutboundRequest } from "./outbound-request.ts";

export interface InjectorDeps {
  readonly store: IdentityStore;
  readonly keyring: Keyring;
  readonly audit: AuditLog;
  readonly clock?: Clock;
  /** Needed by the OAuth kinds. */
  readonly tokens?: AccessTokens;
  /** Learns every secret that is issued, for redaction of everything this process writes. */
  readonly guard?: LeakGuard;
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

  constructor({ store, keyring, audit, clock = systemClock, tokens, guard }: InjectorDeps) {
    this.#rows = new CredentialRows({ store, keyring, clock });
    this.#audit = audit;
    this.#tokens = tokens;
    this.#guard = guard;
  }

  /**
   * Throws `IDENTITY_REFERENCE_UNKNOWN`, or `IDENTITY_REFERENCE_DENIED` when the principal or the host is not one that
   * the credential is bound to. Run `redactor` over all that comes back: headers, body, errors.
   */
  inject(
    context: CallContext,
    reference: string,
    request: OutboundRequest,
  ): Promise<{ readonly request: OutboundRequest; readonly redactor: Redactor }> {
    return inSpan("identity.inject", (span) => this.#inject(context, reference, request, span));
  }

  async #inject(context: CallContext, reference: string, request: OutboundRequest, span: Span) {
    const url = parseUrl(request.url);
    const { text } = parseReference(reference);
    span.setAttributes({
      "ashlar.tenant": context.principal.tenant,
      "ashlar.credential.reference": text,
      "server.address": url.hostname,
    });
    const found = await this.#open(context, reference, text, url);
    const { row, version } = found;
    const surface = row.surfaces.find((each) => each.in !== "body" && each.in !== "environment");
    const reason = denial(found, url, context) ?? (surface ? undefined : "it has no surface that a request has");
    if (reason !== undefined || surface === undefined) {
      await this.#record(context, "deny", { reference: text, version, host: url.host, reason: reason ?? "" });
      throw denied(text, reason ?? "");
    }
    const issued = await issue(context, found, this.#tokens);
    for (const secret of issued.secrets) this.#guard?.add(secret);
    await this.#record(context, "allow", { reference: text, version, host: url.host });
    return { request: place(request, url, surface, issued), redactor: new LeakGuard(issued.secrets) };
  }

  async #open(context: CallContext, reference: string, text: string, url: URL): Promise<OpenedCredential> {
    try {
      return await this.#rows.open(context, reference);
    } catch (error) {
      const reason = IdentityError.is(error) ? error.code : "unknown";
      await this.#record(context, "deny", { reference: text, host: url.host, reason });
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

function denial({ row }: OpenedCredential, url: URL, { principal }: CallContext): string | undefined {
  if (!mayUse(row, principal)) return "it is not bound to this agent or user";
  if (row.hosts.some((entry) => matchesHost(entry, url))) return undefined;
  return `it is not bound to ${url.protocol}//${url.host}`;
}

const denied = (reference: string, reason: string): IdentityError =>
  new IdentityError("IDENTITY_REFERENCE_DENIED", `${reference} was not used: ${reason}.`);
