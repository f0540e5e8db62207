import assert from "node:assert/strict";
import type { Principal } from "../dialect.ts";
import type { InboundAuthenticator } from "../inbound-authenticator.ts";
import type { TestFunction } from "./suite.ts";

export interface InboundAuthenticatorConformanceOptions {
  readonly test: TestFunction;
  create(): Promise<{
    readonly authenticator: InboundAuthenticator;
    /** Headers that are right for `principal`. */
    readonly headers: Readonly<Record<string, string>>;
    readonly principal: Principal;
    /** Headers of the right kind that must be refused. */
    readonly wrong: readonly Readonly<Record<string, string>>[];
  }>;
}

/** The law of `InboundAuthenticator`. */
export function inboundAuthenticatorConformance({ test, create }: InboundAuthenticatorConformanceOptions): void {
  const asked = (headers: Readonly<Record<string, string>>) =>
    new Request("http://gateway.example/mcp", { method: "POST", headers, body: "{}" });

  test("InboundAuthenticator: right credentials give the principal, with its tenant", async () => {
    const { authenticator, headers, principal } = await create();
    const found = await authenticator.authenticate(asked(headers));
    assert.equal(found?.tenant, principal.tenant);
    assert.equal(found?.user, principal.user);
    assert.equal(found?.agent, principal.agent);
  });

  test("InboundAuthenticator: no credentials are undefined, not an error", async () => {
    const { authenticator } = await create();
    assert.equal(await authenticator.authenticate(asked({})), undefined);
  });

  test("InboundAuthenticator: wrong credentials throw kind unauthenticated, without repeating them", async () => {
    const { authenticator, wrong } = await create();
    for (const headers of wrong) {
      await assert.rejects(authenticator.authenticate(asked(headers)), (error: Error & { kind?: string }) => {
        assert.equal(error.kind, "unauthenticated");
        for (const value of Object.values(headers)) {
          const secret = value.replace(/^Bearer /, "");
          if (secret.length > 8) assert.ok(!error.message.includes(secret), "the message repeats the credential");
        }
        return true;
      });
    }
  });

  test("InboundAuthenticator: the tenant is never taken from other headers or the query, and the body is left unread", async () => {
    const { authenticator, headers, principal } = await create();
    const request = new Request("http://gateway.example/mcp?tenant=evil", {
      method: "POST",
      headers: { "x-tenant": "evil", "x-forwarded-user": "root", ...headers },
      body: '{"tenant":"evil"}',
    });
    assert.equal((await authenticator.authenticate(request))?.tenant, principal.tenant);
    assert.equal(request.bodyUsed, false);
  });
}
