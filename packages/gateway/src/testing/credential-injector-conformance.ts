import assert from "node:assert/strict";
import type { CredentialInjector, OutboundRequest } from "../credential-injector.ts";
import type { CallContext } from "../dialect.ts";
import type { TestFunction } from "./suite.ts";

export interface CredentialInjectorConformanceOptions {
  readonly test: TestFunction;
  create(): Promise<{
    readonly injector: CredentialInjector;
    /** May use `reference` for requests to `url`. */
    readonly context: CallContext;
    readonly reference: string;
    readonly url: string;
    /** What `reference` stands for, in plain. */
    readonly secret: string;
    /** May not use it: of another tenant. */
    readonly stranger: CallContext;
    /** Not a destination of it. */
    readonly elsewhere: string;
  }>;
}

/** The law of `CredentialInjector`. */
export function credentialInjectorConformance({ test, create }: CredentialInjectorConformanceOptions): void {
  const requestTo = (url: string): OutboundRequest => ({ method: "POST", url, headers: { "x-kept": "yes" } });
  const shown = ({ url, headers }: OutboundRequest): string => url + JSON.stringify(headers);

  test("CredentialInjector: the secret is in the request, the rest of which is as it was", async () => {
    const { injector, context, reference, url, secret } = await create();
    const before = requestTo(url);
    const { request } = await injector.inject(context, reference, before);
    assert.ok(shown(request).includes(secret), "the request does not carry the secret");
    assert.equal(request.headers["x-kept"], "yes");
    assert.equal(request.method, "POST");
    assert.ok(!shown(before).includes(secret), "the caller's own request was changed");
  });

  test("CredentialInjector: its redactor removes the secret from values, and from streams that split it anywhere", async () => {
    const { injector, context, reference, url, secret } = await create();
    const { redactor } = await injector.inject(context, reference, requestTo(url));
    assert.ok(!JSON.stringify(redactor.redact({ deep: [`a ${secret} b`] })).includes(secret));
    assert.equal(redactor.redact("nothing here"), "nothing here");
    const bytes = new TextEncoder().encode(`before ${secret} after`);
    for (let cut = 1; cut < bytes.length; cut++) {
      const parts = [bytes.slice(0, cut), bytes.slice(cut)];
      const source = new ReadableStream<Uint8Array>({
        pull(controller) {
          const part = parts.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(part);
        },
      });
      const text = await new Response(source.pipeThrough(redactor.stream())).text();
      assert.ok(!text.includes(secret), `the secret passed when cut at ${cut}`);
      assert.ok(text.startsWith("before ") && text.endsWith(" after"), "the stream lost what was no secret");
    }
  });

  for (const who of ["stranger", "elsewhere", "unknown"] as const) {
    const cases = { stranger: "another tenant", elsewhere: "another destination", unknown: "an unknown reference" };
    test(`CredentialInjector: ${cases[who]} is refused, and the refusal does not carry the secret`, async () => {
      const { injector, context, stranger, reference, url, elsewhere, secret } = await create();
      const refused = injector.inject(
        who === "stranger" ? stranger : context,
        who === "unknown" ? `${reference}_that_is_not` : reference,
        requestTo(who === "elsewhere" ? elsewhere : url),
      );
      await assert.rejects(refused, (error: Error & { kind?: string }) => {
        assert.ok(error.kind === "denied" || error.kind === "not_found", `kind was ${error.kind}`);
        assert.ok(!error.message.includes(secret));
        return true;
      });
    });
  }
}
