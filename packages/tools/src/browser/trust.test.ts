import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { EgressProxyDeps } from "../egress/egress-proxy.ts";
import { authority, leafFor, placeholder, planted, SECRET, upstreamAuthority } from "../egress/fixtures/bound-host.ts";
import { type BrowserProgram, findProgram } from "./chromium.ts";
import { Browsing } from "./fixtures/browsing.ts";
import type { BrowserSession } from "./index.ts";

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "a browser behind a proxy that ends TLS", () => {
  const received: (string | undefined)[] = [];
  const ours = authority();
  const lookup = (async () => [{ address: "127.0.0.1", family: 4 }]) as unknown as NonNullable<
    EgressProxyDeps["lookup"]
  >;
  const bound = createServer(leafFor("api.test"), (request, response) => {
    received.push(request.headers.authorization);
    response
      .writeHead(200, { "content-type": "text/html" })
      .end(`<title>bound</title><p>${request.headers.authorization ?? "nobody"}</p>`);
  });
  /** Its certificate is of an authority that is its own; the one of this installation comes along. */
  const { cert, key } = leafFor("foreign.test");
  const foreign = createServer({ cert: cert + ours.certificate, key }, (_, response) => response.end("foreign"));
  const address = (server: Server, host: string): string => `https://${host}:${(server.address() as AddressInfo).port}`;
  let browsing: Browsing;
  let open: (program?: BrowserProgram) => Promise<BrowserSession>;

  beforeAll(async () => {
    for (const server of [bound, foreign]) await once(server.listen(0, "127.0.0.1"), "listening");
    const hosts = [new URL(address(bound, "api.test")), new URL(address(foreign, "foreign.test"))].map(
      ({ hostname, port }) => ({ host: hostname, port: Number(port) }),
    );
    const [api] = hosts;
    const substitution = {
      ...{ credentials: planted([`${api?.host}:${api?.port}`]), authority: ours },
      ca: upstreamAuthority.certificate,
    };
    browsing = new Browsing({ egress: { lookup, allowPrivate: hosts, substitution } });
    await browsing.browsers.probe("chromium");
    open = (program = "headless-shell") => browsing.open({ program, network: { mode: "allow", hosts } });
  }, 120_000);
  afterAll(async () => {
    await browsing[Symbol.asyncDispose]();
    for (const server of [bound, foreign]) {
      server.closeAllConnections();
      server.close();
    }
  });

  for (const program of ["headless-shell", "chromium"] as const) {
    test(`${program}: a page's placeholder becomes the secret outside, and never comes back`, async () => {
      await using session = await open(program);
      await session.navigate(address(bound, "api.test"));
      received.length = 0;
      const { result } = await session.pages
        .front()
        .send<{ readonly result: { readonly value: string } }>("Runtime.evaluate", {
          expression: `fetch("/", { headers: { authorization: "Bearer ${placeholder}" } }).then((answer) => answer.text())`,
          ...{ awaitPromise: true, returnByValue: true },
        });
      assert.deepEqual(received.filter(Boolean), [`Bearer ${SECRET}`]);
      assert.match(result.value, /Bearer \[redacted\]/);
      assert.deepEqual(
        (await session.files.list(".")).map(({ path }) => path),
        [],
      );
    });
  }

  hostile("a site whose certificate is nobody's, with the proxy's authority in its chain", {
    control: "a browser told to take whatever holds the authority's key in its chain shows the site",
    async unguarded() {
      const key = new X509Certificate(ours.certificate).publicKey.export({ type: "spki", format: "der" });
      const browser: Browser = await chromium.launch({
        executablePath: findProgram("headless-shell"),
        args: [
          ...["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP foreign.test 127.0.0.1"],
          `--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`,
        ],
      });
      const page = await browser.newPage();
      await page.goto(address(foreign, "foreign.test"));
      assert.equal(await page.textContent("body"), "foreign");
      await browser.close();
    },
    async guarded() {
      await using session = await open();
      await assert.rejects(session.navigate(address(foreign, "foreign.test")), /ERR_CERT_AUTHORITY_INVALID/);
      await session.navigate(address(bound, "api.test"));
      assert.equal(session.list()[0]?.title, "bound");
    },
  });
});
