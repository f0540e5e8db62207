import "reflect-metadata";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import * as identity from "@ashlar/identity/inversify";
import { ephemeralWrapper, findSecret } from "@ashlar/identity/testing";
import type { Sandbox } from "@ashlar/tools";
import { BubblewrapBackend } from "@ashlar/tools/bubblewrap";
import {
  createEgressAuthority,
  EgressAuthority,
  type EgressDecision,
  EgressProxy,
  type EgressProxyDeps,
} from "@ashlar/tools/egress";
import { Container } from "inversify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostile } from "./support/hostile.ts";
import { describeWith, parts } from "./support/system-part.ts";

const SECRET = "sk-live-canary/42+";
const context = { principal: { tenant: "acme", agent: "triage", session: "ses_1" } };

describeWith([parts.bubblewrap, parts.python, parts.curl], "secrets of the vault, used from a sandbox", () => {
  const received: string[] = [];
  const decisions: EgressDecision[] = [];
  const outside = createEgressAuthority({ name: "Outside" });
  const leaf = new EgressAuthority(outside);
  const { key } = leaf.leaf("api.test");
  const server = createServer({ cert: leaf.leaf("api.test").certificate, key }, async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    received.push(`${request.headers.authorization ?? ""}${body}`);
    response.setHeader("x-echo", request.headers.authorization ?? "");
    response.end(JSON.stringify({ authorization: request.headers.authorization, body, url: request.url }));
  });
  server.addContext("other.test", { cert: leaf.leaf("other.test").certificate, key });
  const lookup = (async () => [{ address: "127.0.0.1", family: 4 }]) as unknown as NonNullable<
    EgressProxyDeps["lookup"]
  >;
  const container = new Container();
  let port = 0;
  let placeholders: Readonly<Record<string, string>> = {};
  let proxy: EgressProxy;
  let backend: BubblewrapBackend;

  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
    container.bind(identity.KEY_WRAPPER).toConstantValue(ephemeralWrapper());
    container.bind(identity.IDENTITY_OPTIONS).toConstantValue({ issuer: "https://agents.example", audience: "api" });
    await container.loadAsync(identity.inMemoryIdentityModule(), identity.identityModule());
    await container.get(identity.VAULT).add(context, {
      reference: "stripe",
      hosts: [`api.test:${port}`],
      surfaces: [
        { in: "environment", name: "API_KEY" },
        { in: "header", name: "authorization" },
        { in: "body", name: "/key" },
      ],
      secret: { kind: "environment", name: "API_KEY", value: SECRET },
    });
    const credentials = container.get(identity.EGRESS); // the only line that knows both packages
    placeholders = await credentials.environment(context);
    const authority = new EgressAuthority(createEgressAuthority());
    proxy = new EgressProxy({
      ...{ lookup, allowPrivate: [{ host: "*.test", port }] },
      substitution: { credentials, authority, ca: outside.certificate },
      log: { record: (decision) => void decisions.push(decision) },
    });
    backend = new BubblewrapBackend({ egress: proxy });
  });
  afterAll(async () => {
    await backend.close();
    await proxy.close();
    server.closeAllConnections();
    server.close();
  });

  async function within(body: (sandbox: Sandbox) => Promise<void>, who = context): Promise<void> {
    await using sandbox = await backend.create(who, {
      network: { mode: "allow", hosts: [{ host: "*.test", port }] },
      environment: placeholders,
    });
    received.length = 0;
    decisions.length = 0;
    await body(sandbox);
  }

  const curl = (host: string, ...options: readonly string[]): readonly string[] => [
    ...["/bin/sh", "-c", `exec curl -sS --max-time 20 "$@" -H "authorization: Bearer $API_KEY"`, "sh", ...options],
    `https://${host}:${port}/`,
  ];
  const url = () => `https://api.test:${port}/`;
  const programs: Readonly<Record<string, () => readonly string[]>> = {
    curl: () => curl("api.test"),
    Python: () => [
      ...["python3", "-c"],
      `import os, urllib.request as u
headers = {"authorization": "Bearer " + os.environ["API_KEY"]}
print(u.urlopen(u.Request("${url()}", headers=headers), timeout=20).read().decode())`,
    ],
    Node: () => [
      ...["node", "-e"],
      `const headers = { authorization: "Bearer " + process.env.API_KEY };
fetch("${url()}", { headers }).then((response) => response.text()).then(console.log)`,
    ],
  };

  describe("a call with a placeholder succeeds, and no form of the secret comes back or is kept", () => {
    for (const [name, command] of Object.entries(programs)) {
      test(name, () =>
        within(async (sandbox) => {
          const { stdout, stderr } = await sandbox.exec(command());
          expect(stderr).toBe("");
          expect(received).toEqual([`Bearer ${SECRET}`]);
          expect(JSON.parse(stdout).authorization).toBe("Bearer [redacted]");
          expect(decisions.map(({ effect, reason }) => [effect, reason])).toEqual([["allow", "substituted"]]);
          expect(findSecret(received.join("\n"), SECRET)).not.toEqual([]);
          expect(findSecret(stdout + JSON.stringify(decisions), SECRET)).toEqual([]);
        }),
      );
    }
  });

  test("a field of a JSON body is exchanged where the credential says so", () =>
    within(async (sandbox) => {
      const body = JSON.stringify({ key: placeholders.API_KEY });
      const call = ["curl", "-sS", "--max-time", "20", "-H", "content-type: application/json", "-d", body, url()];
      const { stdout } = await sandbox.exec(call);
      expect(received).toEqual([JSON.stringify({ key: SECRET })]);
      expect(stdout).not.toContain(SECRET);
    }));

  hostile("a placeholder of a session, taken to another host, another session or another place in the request", {
    backend: "bubblewrap",
    control: "in its session, to its host and in its header it becomes the secret",
    unguarded: () =>
      within(async (sandbox) => {
        await sandbox.exec(curl("api.test"));
        expect(received).toEqual([`Bearer ${SECRET}`]);
      }),
    async guarded() {
      await within(async (sandbox) => {
        const trusting = await sandbox.exec(curl("other.test", "-k"));
        expect(trusting.stdout).toContain(placeholders.API_KEY ?? "?");
        expect(received).toEqual([`Bearer ${placeholders.API_KEY}`]);
        received.length = 0;
        await sandbox.exec(curl("api.test", "-H", `x-debug: ${placeholders.API_KEY}`));
        await sandbox.exec([...curl("api.test").slice(0, -1), `${url()}?q=${placeholders.API_KEY}`]);
        expect(received).toEqual([]);
        expect(decisions.map(({ reason }) => reason)).toEqual(["policy", "credentials", "credentials"]);
      });
      const stranger = { principal: { ...context.principal, session: "ses_2" } };
      await within(async (sandbox) => {
        await sandbox.exec(curl("api.test"));
        expect(received).toEqual([]);
      }, stranger);
    },
  });

  test("the audit chain of all this is intact", async () => {
    const audit = container.get(identity.AUDIT_LOG);
    expect(await audit.verify(context)).toMatchObject({ intact: true });
  });
});
