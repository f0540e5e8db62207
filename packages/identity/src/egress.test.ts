import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Container } from "inversify";
import { expect, test } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import type { Surface } from "./credential.ts";
import type { CallContext } from "./dialect.ts";
import {
  AUDIT_LOG,
  EGRESS,
  IDENTITY_OPTIONS,
  identityModule,
  inMemoryIdentityModule,
  KEY_WRAPPER,
  LEAK_GUARD,
  SEALER,
  VAULT,
} from "./inversify/index.ts";
import type { OutboundRequest } from "./outbound-request.ts";
import { findSecret } from "./testing/canary.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";

const SECRET = "sk-live-$&-canary/42+$$";
const context = { principal: { tenant: "acme", agent: "triage", session: "ses_1" } };
const url = "https://api.example.com/v1";

async function setUp(declared?: Surface, hosts: readonly string[] = []) {
  const container = new Container();
  container.bind(KEY_WRAPPER).toConstantValue(ephemeralWrapper());
  container.bind(IDENTITY_OPTIONS).toConstantValue({ issuer: "https://me", audience: "api" });
  await container.load(inMemoryIdentityModule(), identityModule());
  const egress = container.get(EGRESS);
  await container.get(VAULT).add(context, {
    reference: "stripe",
    hosts: ["api.example.com", ...hosts],
    surfaces: [
      ...(declared ? [declared] : []),
      { in: "environment", name: "STRIPE_KEY" },
      { in: "header", name: "authorization" },
      { in: "query", name: "key" },
      { in: "cookie", name: "sid" },
      { in: "body", name: "/auth/key" },
      { in: "body", name: "token" },
    ],
    secret: { kind: "environment", name: "STRIPE_KEY", value: SECRET },
  });
  const { STRIPE_KEY: placeholder = "" } = await egress.environment(context);
  return { container, egress, placeholder };
}

const post = (type: string, body: string) => ({
  method: "POST",
  url,
  headers: { "content-type": type, "content-length": String(body.length) },
  body: Buffer.from(body),
});

test("a placeholder is exchanged in every declared surface, and the answer is cleaned", async () => {
  const { egress, placeholder, container } = await setUp();
  expect(placeholder).toMatch(/^ashlar-ref-[\w-]{32}$/);
  expect(await egress.hosts(context)).toEqual(["api.example.com"]);
  const send = async (request: Parameters<typeof egress.substitute>[1]) =>
    (await egress.substitute(context, request)).request;
  const get = { method: "GET", url, headers: {} };
  const bearer = { ...get, headers: { Authorization: `Bearer ${placeholder}` } };
  expect((await send(bearer)).headers).toEqual({ Authorization: `Bearer ${SECRET}` });
  const basic = { ...get, headers: { authorization: `Basic ${btoa(`user:${placeholder}`)}` } };
  expect((await send(basic)).headers.authorization).toBe(`Basic ${btoa(`user:${SECRET}`)}`);
  expect(new URL((await send({ ...get, url: `${url}?key=${placeholder}` })).url).searchParams.get("key")).toBe(SECRET);
  const cookie = { ...get, headers: { cookie: `a=1; sid=${placeholder}` } };
  expect((await send(cookie)).headers.cookie).toBe(`a=1; sid=${encodeURIComponent(SECRET)}`);
  const json = await send(post("application/json", JSON.stringify({ auth: { key: placeholder } })));
  expect(JSON.parse(String(json.body))).toEqual({ auth: { key: SECRET } });
  expect(json.headers["content-length"]).toBe(String(Buffer.from(String(json.body)).length));
  const form = await send(post("application/x-www-form-urlencoded", `token=${placeholder}&b=1`));
  expect(new URLSearchParams(String(form.body)).get("token")).toBe(SECRET);
  const { redactor } = await egress.substitute(context, basic);
  expect(redactor.redact(`${SECRET} ${btoa(`user:${SECRET}`)}`)).toBe("[redacted] [redacted]");
  expect(container.get(LEAK_GUARD).redact(SECRET)).toBe("[redacted]");
  expect(await container.get(AUDIT_LOG).verify(context)).toMatchObject({ intact: true });
});

const base = { method: "GET", url, headers: {} };
const denied = { code: "IDENTITY_REFERENCE_DENIED" };

for (const { name, control, attack, declared, hosts, who } of [
  {
    name: "in a header that is not declared",
    control: "declared there, it is exchanged",
    attack: (text: string) => ({ ...base, headers: { "x-debug": text } }),
    declared: { in: "header", name: "x-debug" },
  },
  {
    name: "in a parameter that is not declared",
    control: "declared there, it is exchanged",
    attack: (text: string) => ({ ...base, url: `${url}?q=${text}` }),
    declared: { in: "query", name: "q" },
  },
  {
    name: "in a body field that is not declared",
    control: "declared there, it is exchanged",
    attack: (text: string) => post("application/json", JSON.stringify({ note: text })),
    declared: { in: "body", name: "/note" },
  },
  {
    name: "for a host that is not bound",
    control: "bound to that host too, it is exchanged",
    attack: (text: string) => ({ ...bearing(text), url: "https://evil.example/" }),
    hosts: ["evil.example"],
  },
  {
    name: "of another session",
    control: "a proxy that believes the sandbox's word about its session exchanges it",
    attack: bearing,
    who: { principal: { ...context.principal, session: "ses_2" } },
  },
  {
    name: "of another tenant",
    control: "a proxy that believes the sandbox's word about its tenant exchanges it",
    attack: bearing,
    who: { principal: { ...context.principal, tenant: "other" } },
  },
] as readonly Attack[]) {
  hostile(`a placeholder ${name}`, {
    control,
    async unguarded() {
      const { egress, placeholder } = await setUp(declared, hosts);
      const { request } = await egress.substitute(context, attack(placeholder));
      const sent = JSON.stringify({ ...request, body: String(request.body) });
      expect(findSecret(sent, SECRET)).not.toEqual([]);
    },
    async guarded() {
      const { egress, placeholder } = await setUp();
      expect((await egress.substitute(context, bearing(placeholder))).request.headers.authorization).toBe(SECRET);
      await expect(egress.substitute(who ?? context, attack(placeholder))).rejects.toMatchObject(denied);
      const guessed = bearing(`${placeholder.slice(0, -1)}!`);
      await expect(egress.substitute(context, guessed)).rejects.toMatchObject(denied);
    },
  });
}

interface Attack {
  readonly name: string;
  readonly control: string;
  readonly attack: (placeholder: string) => OutboundRequest;
  /** What the control has that the guarded credential has not. */
  readonly declared?: Surface;
  readonly hosts?: readonly string[];
  /** Who brings the placeholder, where it is not its own session. */
  readonly who?: CallContext;
}

hostile("a placeholder in the path", {
  control: "a proxy that exchanges wherever it finds one writes the secret into the server's log of addresses",
  async unguarded() {
    const addresses: string[] = [];
    const server = createServer((request, response) => {
      addresses.push(decodeURIComponent(request.url ?? ""));
      response.end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { placeholder } = await setUp();
    const asked = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${placeholder}`;
    await fetch(asked.replaceAll(placeholder, () => encodeURIComponent(SECRET)));
    expect(findSecret(addresses.join(), SECRET)).not.toEqual([]);
    server.closeAllConnections();
    server.close();
  },
  async guarded() {
    const { egress, placeholder } = await setUp();
    const attack = { ...base, url: `${url}/${placeholder}` };
    await expect(egress.substitute(context, attack)).rejects.toMatchObject(denied);
  },
});

function bearing(text: string) {
  return { ...base, headers: { authorization: text } };
}

test("what is sealed opens for the same tenant and purpose only", async () => {
  const sealer = (await setUp()).container.get(SEALER);
  const sealed = await sealer.seal(context, Buffer.from("profile"), "browser");
  expect(Buffer.from(await sealer.open(context, sealed, "browser")).toString()).toBe("profile");
  const refused = { code: "IDENTITY_CIPHERTEXT_REFUSED" };
  await expect(sealer.open(context, sealed, "tunnel")).rejects.toMatchObject(refused);
  await expect(sealer.open({ principal: { tenant: "b" } }, sealed, "browser")).rejects.toMatchObject(refused);
});

test("a second module for the same tokens is refused at load", async () => {
  const { container } = await setUp();
  await expect((async () => container.load(inMemoryIdentityModule()))()).rejects.toMatchObject({
    code: "ASHLAR_TOKEN_BOUND",
  });
});
