import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Principal } from "../dialect.ts";

/**
 * Session ids of MCP servers, sealed for the principal who opened the session: another one cannot use it, whoever
 * told it. Nothing is stored; processes that share a key open each other's seals.
 */
export class SealedSessions {
  readonly #key: Uint8Array;

  constructor({ key = randomBytes(32) }: { readonly key?: Uint8Array } = {}) {
    this.#key = key;
  }

  seal(principal: Principal, target: string, session: string): string {
    return `${this.#tag(principal, target, session).toString("base64url")}.${session}`;
  }

  /** The server's own id; `undefined` when it was sealed for somebody else, or never. */
  open(principal: Principal, target: string, sealed: string): string | undefined {
    const dot = sealed.indexOf(".");
    const session = sealed.slice(dot + 1);
    const tag = Buffer.from(sealed.slice(0, Math.max(0, dot)), "base64url");
    const expected = this.#tag(principal, target, session);
    return tag.length === expected.length && timingSafeEqual(tag, expected) ? session : undefined;
  }

  #tag({ tenant, user, agent, session: run }: Principal, target: string, session: string): Buffer {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify([tenant, user ?? null, agent ?? null, run ?? null, target, session]))
      .digest();
  }
}
