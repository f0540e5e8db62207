import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { describeWith } from "../../../test/support/system-part.ts";
import { AuditLog } from "./audit-log.ts";
import { InMemoryAuditStore, InMemoryIdentityStore } from "./in-memory/index.ts";
import { Injector } from "./injector.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import { Keyring } from "./keyring.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";
import { Vault } from "./vault.ts";

const KEY = "key-canary-4711";
const context = { principal: { tenant: "acme", agent: "triage" } };

async function injected(url: string) {
  const store = new InMemoryIdentityStore();
  const keyring = new Keyring({ store, wrapper: ephemeralWrapper() });
  const audit = new AuditLog({ store: new InMemoryAuditStore(), keyring });
  const secret = { kind: "api_key", key: KEY, in: "header", name: "x-api-key" } as const;
  await new Vault({ store, keyring, audit }).add(context, { reference: "k", hosts: [new URL(url).host], secret });
  return new Injector({ store, keyring, audit }).inject(context, "k", { method: "GET", url, headers: {} });
}

const openssl = { name: "openssl", install: "openssl", present: () => spawnSync("openssl", ["version"]).status === 0 };

describeWith([openssl], "over TLS", () => {
  test("an upstream under its own CA gets the credential; without that CA nothing is sent", upstreamOverTls);
});

async function upstreamOverTls(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-ca-"));
  const file = (name: string) => join(folder, name);
  const run = (...args: string[]) => expect(spawnSync("openssl", args, { cwd: folder }).status).toBe(0);
  const subject = ["-subj", "/CN=Ashlar test CA", "-days", "2", "-nodes"];
  run("req", "-x509", "-newkey", "rsa:2048", "-keyout", "ca.key", "-out", "ca.pem", ...subject);
  run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=localhost");
  const extensions = spawnSync("sh", ["-c", 'printf "subjectAltName=DNS:localhost" > ext'], { cwd: folder });
  expect(extensions.status).toBe(0);
  const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", "2"];
  run("x509", "-req", "-in", "tls.csr", "-out", "tls.pem", ...signing);
  const seen: IncomingHttpHeaders[] = [];
  const options = { key: await readFile(file("tls.key")), cert: await readFile(file("tls.pem")) };
  const server = createTlsServer(options, ({ headers }, response) => {
    seen.push(headers);
    response.end(`you sent ${headers["x-api-key"]}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { request, redactor } = await injected(`https://localhost:${(server.address() as AddressInfo).port}/`);
  const allow = ["localhost"];
  const stranger = guardedFetch({ allow });
  await expect(stranger(request.url, { headers: request.headers })).rejects.toMatchObject({
    code: "FETCH_UNREACHABLE",
  });
  expect(seen).toEqual([]);
  const fetch = guardedFetch({ allow, ca: await readFile(file("ca.pem"), "utf8") });
  const response = await fetch(request.url, { headers: request.headers });
  expect(redactor.redact(await response.text())).toBe("you sent [redacted]");
  expect(seen[0]?.["x-api-key"]).toBe(KEY);
  server.closeAllConnections();
  server.close();
}

async function redirecting(call: (url: string, headers: Record<string, string>) => Promise<unknown>) {
  const stolen: unknown[] = [];
  const thief = createServer(({ headers }, response) => {
    stolen.push(headers["x-api-key"]);
    response.end();
  });
  thief.listen(0, "127.0.0.1");
  await once(thief, "listening");
  const location = `http://127.0.0.1:${(thief.address() as AddressInfo).port}/`;
  const upstream = createServer((_, response) => response.writeHead(302, { location }).end());
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { request } = await injected(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}/`);
  await call(request.url, { ...request.headers });
  for (const server of [thief, upstream]) {
    server.closeAllConnections();
    server.close();
  }
  return stolen;
}

hostile("an upstream redirects the call, and its x-api-key, to another origin", {
  control: "the platform's fetch forwards the header to the other origin",
  async unguarded() {
    expect(await redirecting((url, headers) => fetch(url, { headers }))).toEqual([KEY]);
  },
  async guarded() {
    const guarded = guardedFetch({ allow: ["127.0.0.1"] });
    expect(await redirecting((url, headers) => guarded(url, { headers }))).toEqual([]);
  },
});
