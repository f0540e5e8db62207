import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Egress } from "./egress.ts";
import { CLIENT } from "./fixtures/client.ts";
import { installation } from "./fixtures/installation.ts";
import { recordSpans } from "./fixtures/span-recorder.ts";
import { sqliteVault } from "./fixtures/sqlite-vault.ts";
import { LeakGuard } from "./leak-guard.ts";
import { findSecret, secretEncodings } from "./testing/canary.ts";

const TOKEN = "tok_9f/+canary&value~7";
const CLIENT_SECRET = 'client"secret/+canary <9>';
/** Not secret, and planted where the secrets must not be: a search that misses it proves nothing. */
const CONTROL = "planted-control-4711";
const context = { principal: { tenant: "acme", agent: "triage", session: CONTROL, user: "alice" } };

/** A chatty API: repeats what it was sent in every encoding, in headers and body; and a chatty token endpoint. */
const server = createServer(async (request, response) => {
  const sent = (await request.toArray()).join("") + (request.headers.authorization ?? "");
  if (request.url === "/token") {
    const said = `${CLIENT_SECRET} of ${CONTROL} is wrong: ${sent}`;
    return response
      .writeHead(401, { "content-type": "application/json" })
      .end(JSON.stringify({ error: "invalid_client", error_description: said.replace(/[^\x20-\x7e]/g, "") }));
  }
  if (request.url === "/broken") return response.writeHead(200, { "content-type": "application/json" }).end(`${sent}{`);
  response.setHeader("x-echo", Buffer.from(sent).toString("base64"));
  response.setHeader("set-cookie", `seen=${encodeURIComponent(sent)}`);
  return response.end([CONTROL, ...secretEncodings(TOKEN).values()].join("\n"));
});
let host: string;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const everything = (value: unknown): string =>
  inspect(value, { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null });
const thrown = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => expect.fail("it was expected to fail"),
    (error: unknown) => everything(error),
  );

test("no path shows a secret in any encoding, and each shows the planted control", async () => {
  const spans = recordSpans();
  const warnings: string[] = [];
  process.on("warning", (warning) => warnings.push(everything(warning)));
  const { vault, injector, audit, store, keyring, database } = await sqliteVault();
  const secret = { kind: "bearer", token: TOKEN } as const;
  const surfaces = [
    { in: "header", name: "authorization" },
    { in: "environment", name: "TOKEN" },
  ] as const;
  await vault.add(context, { reference: CONTROL, hosts: [host], surfaces, secret });
  const unfit = { kind: "environment", name: "KEY", value: `${TOKEN}\n` } as const;
  await vault.add(context, { reference: `${CONTROL}.unfit`, hosts: [host], surfaces: [surfaces[0]], secret: unfit });
  const request = { method: "GET", url: `http://${host}/?q=${CONTROL}`, headers: {} };
  const { request: sent, redactor } = await injector.inject(context, CONTROL, request);
  const call = () => fetch(sent.url, { headers: sent.headers });

  const raw = await (await call()).text();
  expect(new Set(findSecret(raw, TOKEN).map(({ encoding }) => encoding)).size).toBe(secretEncodings(TOKEN).size);

  const places = new Map<string, string>();
  const answer = await call();
  places.set("headers of an answer", everything(redactor.redact([sent.url, ...answer.headers])));
  places.set("body of an answer", redactor.redact(await answer.text()));
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => chunk.forEach((_, at) => void controller.enqueue(chunk.subarray(at, at + 1))),
  });
  const stream = (await call()).body?.pipeThrough(cut).pipeThrough(redactor.stream());
  places.set("a stream in pieces of one byte", await new Response(stream ?? null).text());
  const failure = new Error(`${CONTROL}: ${JSON.stringify(sent.headers)}`, { cause: { headers: sent.headers } });
  places.set("an error of the caller, with its stack and cause", everything(redactor.redact(failure)));
  const log = new LeakGuard([TOKEN]);
  places.set("a line of a log", log.redact(`${CONTROL} sent ${JSON.stringify(sent)}`));

  const egress = new Egress({ store, keyring, audit });
  const variables = await egress.environment(context);
  const headers = { authorization: `Bearer ${variables.TOKEN}` };
  const exchanged = await egress.substitute(context, { ...request, headers });
  expect(findSecret(everything(exchanged.request), TOKEN)).not.toEqual([]);
  places.set("variables of a sandbox", everything([CONTROL, variables]));
  places.set("an exchanged request's answer", exchanged.redactor.redact(raw));

  const elsewhere = { ...request, url: `https://${CONTROL}.example/` };
  places.set("a refused host", await thrown(injector.inject(context, CONTROL, elsewhere)));
  const unfitting = thrown(injector.inject(context, `${CONTROL}.unfit`, request));
  places.set("a value that no header can carry", `${CONTROL} ${await unfitting}`);
  const again = thrown(vault.add(context, { reference: CONTROL, hosts: [host], secret }));
  places.set("a reference that is taken", await again);
  const wrong = thrown(vault.add(context, { reference: CONTROL, hosts: [host], secret: { kind: TOKEN } as never }));
  places.set("a secret of no kind", `${CONTROL} ${await wrong}`);
  places.set("lists and descriptions", everything([await vault.list(context), await vault.describe(context, CONTROL)]));
  places.set("the audit", everything(await audit.read(context)));
  places.set("the database", database.serialize().toString("latin1"));
  places.set("spans", spans.join("\n"));
  places.set("warnings", [CONTROL, ...warnings].join("\n"));

  for (const [place, text] of places) {
    expect(findSecret(text, TOKEN), place).toEqual([]);
    expect(findSecret(text, CONTROL), `the control in ${place}`).not.toEqual([]);
  }
});

test("no answer of a token endpoint brings a client's secret into an error", async () => {
  const { vault, header, audit, store } = installation();
  for (const path of ["token", "broken"]) {
    const tokenEndpoint = `http://${host}/${path}`;
    const secret = {
      kind: "oauth2_client_credentials",
      ...CLIENT,
      clientSecret: CLIENT_SECRET,
      tokenEndpoint,
    } as const;
    await vault.add(context, { reference: path, hosts: [host], secret });
    const shown = await thrown(header(context, path, host));
    expect(shown).toContain("IDENTITY_");
    expect(findSecret(shown, CLIENT_SECRET), path).toEqual([]);
    expect(findSecret(shown, CONTROL), path).toEqual([]);
  }
  const kept = everything([await audit.read(context), await store.list("acme", "credential")]);
  expect(findSecret(kept, CLIENT_SECRET)).toEqual([]);
  expect(findSecret(kept, CONTROL)).not.toEqual([]);
});
