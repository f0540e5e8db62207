import { hash, randomBytes } from "node:crypto";
import { type Clock, systemClock } from "../dialect.ts";

/**
 * - `drive`: one connection of a driver that speaks the DevTools protocol.
 * - `view`: watch.
 * - `control`: watch, take over, answer dialogs.
 * - `replay`: read one recording.
 */
export type AccessScope = "drive" | "view" | "control" | "replay";

export interface AccessGrant {
  /** Of the session, or of the recording. */
  readonly subject: string;
  readonly scope: AccessScope;
  /** How the person is shown to others. */
  readonly by: string;
  readonly expiresAt: number;
}

const MAX_GRANTS = 10_000;

/** Tokens are kept as hashes, in this process only. Each is good for one subject, one scope, and until its end. */
export class AccessTokens {
  readonly #clock: Clock;
  readonly #grants = new Map<string, AccessGrant>();

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock;
  }

  issue(grant: AccessGrant): string {
    const token = randomBytes(32).toString("base64url");
    if (this.#grants.size >= MAX_GRANTS) this.#sweep();
    this.#grants.set(digest(token), grant);
    return token;
  }

  /** `undefined` for a token that is not known, has expired, or is for something else. */
  check(token: string, subject: string, scopes: readonly AccessScope[]): AccessGrant | undefined {
    const grant = this.#grants.get(digest(token));
    if (grant === undefined || grant.subject !== subject || !scopes.includes(grant.scope)) return undefined;
    return grant.expiresAt <= this.#clock.now() ? undefined : grant;
  }

  /** The token is good for nothing any more. */
  spend(token: string): void {
    this.#grants.delete(digest(token));
  }

  /** Takes back every token for a session or a recording. */
  revoke(subject: string): void {
    for (const [key, grant] of this.#grants) if (grant.subject === subject) this.#grants.delete(key);
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const [key, grant] of this.#grants) if (grant.expiresAt <= now) this.#grants.delete(key);
    const [oldest] = this.#grants.keys();
    if (this.#grants.size >= MAX_GRANTS && oldest !== undefined) this.#grants.delete(oldest);
  }
}

const digest = (token: string): string => hash("sha256", token, "base64url");
