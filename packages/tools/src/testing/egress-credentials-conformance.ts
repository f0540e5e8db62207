import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import type { EgressCredentials, OutboundRequest } from "../egress-credentials.ts";
import type { TestFunction } from "./suite.ts";

export interface EgressCredentialsConformanceOptions {
  readonly test: TestFunction;
  create(): Promise<{
    readonly credentials: EgressCredentials;
    /** Has a credential for `host`. */
    readonly context: CallContext;
    /** Of another tenant. */
    readonly stranger: CallContext;
    readonly host: string;
    /** What the sandbox holds in place of the secret. */
    readonly placeholder: string;
    readonly secret: string;
  }>;
}

/** The law of `EgressCredentials`. */
export function egressCredentialsConformance({ test, create }: EgressCredentialsConformanceOptions): void {
  const requestTo = (host: string, authorization: string): OutboundRequest => ({
    method: "GET",
    url: `https://${host}/`,
    headers: { authorization, "x-kept": "yes" },
  });

  test("EgressCredentials: hosts are told to whom they are bound, and to nobody else", async () => {
    const { credentials, context, stranger, host } = await create();
    assert.deepEqual(await credentials.hosts(context), [host]);
    assert.deepEqual(await credentials.hosts(stranger), []);
  });

  test("EgressCredentials: the placeholder becomes the secret, and what comes back is cleaned of it", async () => {
    const { credentials, context, host, placeholder, secret } = await create();
    const { request, redactor } = await credentials.substitute(context, requestTo(host, `Bearer ${placeholder}`));
    assert.equal(request.headers.authorization, `Bearer ${secret}`);
    assert.equal(request.headers["x-kept"], "yes");
    assert.ok(!JSON.stringify(redactor.redact({ echo: secret })).includes(secret));
    const echoed = new Response(`you sent ${secret}`).body?.pipeThrough(redactor.stream());
    assert.ok(!(await new Response(echoed).text()).includes(secret));
  });

  test("EgressCredentials: a request without a placeholder goes as it is", async () => {
    const { credentials, context } = await create();
    const { request } = await credentials.substitute(context, requestTo("elsewhere.example", "Bearer own"));
    assert.equal(request.headers.authorization, "Bearer own");
  });

  for (const who of ["another host", "another tenant"] as const) {
    test(`EgressCredentials: for ${who} the placeholder is refused, and the refusal does not carry the secret`, async () => {
      const { credentials, context, stranger, host, placeholder, secret } = await create();
      const sent = requestTo(who === "another host" ? "elsewhere.example" : host, `Bearer ${placeholder}`);
      const refused = credentials.substitute(who === "another tenant" ? stranger : context, sent);
      await assert.rejects(refused, (error: Error & { kind?: string }) => {
        assert.equal(error.kind, "denied");
        assert.ok(!error.message.includes(secret));
        return true;
      });
    });
  }
}
