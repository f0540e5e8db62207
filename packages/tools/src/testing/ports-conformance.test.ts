import { expect, test } from "vitest";
import type { Sealer } from "../browser/sealer.ts";
import type { CallContext } from "../dialect.ts";
import type { EgressCredentials } from "../egress-credentials.ts";
import type { Workspaces } from "../workspaces.ts";
import { egressCredentialsConformance } from "./egress-credentials-conformance.ts";
import { sealerConformance } from "./sealer-conformance.ts";
import type { TestFunction } from "./suite.ts";
import { workspacesConformance } from "./workspaces-conformance.ts";

const context: CallContext = { principal: { tenant: "acme", session: "ses_1" } };
const stranger: CallContext = { principal: { tenant: "globex", session: "ses_1" } };

/** The names of the tests that fail. */
async function failures(suite: (test: TestFunction) => void): Promise<readonly string[]> {
  const tests: [string, () => Promise<void>][] = [];
  suite((name, body) => tests.push([name, body]));
  const failed: string[] = [];
  for (const [name, body] of tests) await body().catch(() => failed.push(name));
  return failed;
}

/** Keeps archives in a map; each planted fault is one thing that it forgets. */
function keeping(fault?: "tenants" | "wholeness"): Workspaces {
  const kept = new Map<string, Uint8Array[]>();
  const key = ({ principal }: CallContext, name: string) =>
    fault === "tenants" ? name : `${principal.tenant} ${name}`;
  return {
    async restore(call, name) {
      const parts = kept.get(key(call, name));
      return parts === undefined ? undefined : ReadableStream.from(parts);
    },
    async save(call, name, archive) {
      const parts: Uint8Array[] = [];
      if (fault === "wholeness") kept.set(key(call, name), parts);
      for await (const part of archive) parts.push(part);
      kept.set(key(call, name), parts);
    },
  };
}

test.each([
  ["a store that mixes tenants", "tenants", "another tenant"],
  ["a store that keeps a part", "wholeness", "breaks off"],
] as const)("the suite of Workspaces finds %s", async (_, fault, law) => {
  const run = (workspaces: () => Workspaces) =>
    failures((each) =>
      workspacesConformance({ test: each, create: async () => ({ workspaces: workspaces(), context, stranger }) }),
    );
  expect(await run(() => keeping())).toEqual([]);
  expect(await run(() => keeping(fault))).toEqual([expect.stringContaining(law)]);
});

test("the suite of Sealer finds one that binds to nothing, and one that hides nothing", async () => {
  const bare: Sealer = { seal: async (_call, plain) => plain, open: async (_call, sealed) => sealed };
  const found = await failures((each) =>
    sealerConformance({ test: each, create: async () => ({ sealer: bare, context, stranger }) }),
  );
  expect(found).toHaveLength(2);
});

test("the suite of EgressCredentials finds one that serves everybody everywhere and cleans nothing", async () => {
  const open: EgressCredentials = {
    hosts: async () => ["tickets.example"],
    substitute: async (_call, request) => ({
      request: { ...request, headers: { ...request.headers, authorization: "Bearer secret" } },
      redactor: { redact: (value) => value, stream: () => new TransformStream() },
    }),
  };
  const given = {
    credentials: open,
    context,
    stranger,
    host: "tickets.example",
    placeholder: "ph_1",
    secret: "secret",
  };
  const found = await failures((each) => egressCredentialsConformance({ test: each, create: async () => given }));
  expect(found).toHaveLength(5);
});
