import "reflect-metadata";
import { Gateway } from "@ashlar/gateway";
import {
  agentSessionsConformance,
  credentialInjectorConformance,
  inboundAuthenticatorConformance,
} from "@ashlar/gateway/testing";
import type { Policy } from "@ashlar/identity";
import * as identity from "@ashlar/identity/inversify";
import { ephemeralWrapper } from "@ashlar/identity/testing";
import { InMemoryMemoryStore, Memory, MemoryTools, SessionMemoryAdapter } from "@ashlar/memory";
import { PriceTable } from "@ashlar/observability";
import { sessionControlConformance, sessionReaderConformance } from "@ashlar/observability/testing";
import {
  type Agent,
  BlobWorkspaces,
  InMemoryBlobStore,
  InMemorySessionLog,
  InMemoryWorkQueue,
  Runtime,
} from "@ashlar/runtime";
import {
  permissionsConformance,
  pricingConformance,
  sessionHostConformance,
  sessionMemoryConformance,
  toolSourceConformance,
} from "@ashlar/runtime/testing";
import { SandboxSessionHost } from "@ashlar/tools";
import { BubblewrapBackend } from "@ashlar/tools/bubblewrap";
import { egressCredentialsConformance, sealerConformance, workspacesConformance } from "@ashlar/tools/testing";
import { codeInterpreterTools, SandboxTools } from "@ashlar/tools/toolset";
import { WasmBackend } from "@ashlar/tools/wasm";
import { Container } from "inversify";
import { describe, test } from "vitest";
import { describeWith, parts } from "./support/system-part.ts";

/** The law of every joint: the consumer's own suite, run on the real neighbour. */
const context = { principal: { tenant: "acme", agent: "resolver", session: "ses_1", user: "ann" } };
const stranger = { principal: { tenant: "globex", agent: "resolver", session: "ses_1", user: "eve" } };

const policies: readonly Policy[] = [
  { id: "read", effect: "allow", actions: ["tool.call"], resources: ["read"] },
  { id: "write", effect: "ask", actions: ["tool.call"], resources: ["write"] },
];

async function identities(): Promise<Container> {
  const container = new Container();
  container.bind(identity.KEY_WRAPPER).toConstantValue(ephemeralWrapper());
  container.bind(identity.IDENTITY_OPTIONS).toConstantValue({ issuer: "https://agents.example", audience: "api" });
  container.bind(identity.POLICIES).toConstantValue({
    policies: async ({ principal }) => (principal.tenant === "acme" ? policies : []),
  });
  await container.loadAsync(identity.inMemoryIdentityModule(), identity.identityModule());
  return container;
}

async function runtimeWith(...agents: Agent[]): Promise<Runtime> {
  const runtime = new Runtime({ log: new InMemorySessionLog(), queue: new InMemoryWorkQueue(), agents, sweepMs: 20 });
  await runtime.start();
  return runtime;
}

const echo: Agent = {
  name: "echo",
  run: (session, { body }) => session.emit("agent.message", body),
};

describe("runtime's SessionMemory ← memory", () => {
  sessionMemoryConformance({
    test,
    async create() {
      const memory = new Memory({ store: new InMemoryMemoryStore() });
      return { memory: new SessionMemoryAdapter({ memory, name: "support" }), context, stranger };
    },
  });
});

describe("runtime's ToolSource ← memory", () => {
  toolSourceConformance({
    test,
    async create() {
      const memory = new Memory({ store: new InMemoryMemoryStore() });
      return {
        source: new MemoryTools({ memory, name: "support" }),
        context,
        good: { name: "memory_add", args: { text: "Ada lives in Lisbon." } },
        failing: { name: "memory_invalidate", args: { id: "rec_none" } },
        misfit: { name: "memory_add", args: { words: 1 } },
      };
    },
  });
});

describe("runtime's ToolSource ← tools", () => {
  toolSourceConformance({
    test,
    async create() {
      return {
        source: new SandboxTools({ backend: new WasmBackend(), tools: codeInterpreterTools }),
        context,
        good: { name: "executeCode", args: { code: "6 * 7" } },
        failing: { name: "executeCode", args: { code: "throw new Error('no')" } },
        misfit: { name: "executeCode", args: { code: 7 } },
      };
    },
  });
});

describe("runtime's ToolSource ← gateway", () => {
  toolSourceConformance({
    test,
    async create() {
      const memory = new MemoryTools({ memory: new Memory({ store: new InMemoryMemoryStore() }), name: "support" });
      const target = {
        name: "memory",
        list: (call: typeof context) => memory.list(call),
        call: (call: typeof context, name: string, args: never) => memory.call(call, name, args),
      };
      const gateway = new Gateway({
        authenticator: { authenticate: async () => context.principal },
        targets: [target as never],
      });
      return {
        source: gateway.tools,
        context,
        good: { name: "memory_add", args: { text: "Ada lives in Lisbon." } },
        failing: { name: "memory_invalidate", args: { id: "rec_none" } },
      };
    },
  });
});

describe("runtime's Permissions ← identity", () => {
  permissionsConformance({
    test,
    create: async () => ({
      permissions: (await identities()).get(identity.PERMISSIONS),
      context,
      stranger,
      allowed: { action: "tool.call", resource: "read" },
      denied: { action: "tool.call", resource: "delete" },
      asked: { action: "tool.call", resource: "write" },
    }),
  });
});

describe("runtime's Pricing ← observability", () => {
  pricingConformance({
    test,
    create: async () => ({
      pricing: new PriceTable({ models: { "model-*": { inputPerMillion: 3, outputPerMillion: 15 } } }),
      model: "model-1",
      inputMicrosPerMillion: 3_000_000,
    }),
  });
});

describeWith([parts.bubblewrap, parts.python], "runtime's SessionHost ← tools", () => {
  const backend = new BubblewrapBackend();
  sessionHostConformance({
    test,
    createHost: () => new SandboxSessionHost({ backend }),
    echo: ["/bin/cat"],
    fail: ["/bin/sh", "-c", "echo the reason >&2; exit 7"],
    hang: ["/bin/sleep", "1000"],
  });
});

describe("gateway's AgentSessions ← runtime", () => {
  agentSessionsConformance({
    test,
    async create() {
      const runtime = await runtimeWith(echo);
      const message = { type: "user.message", body: { content: "hello" } };
      return { sessions: runtime.sessions, agent: "echo", message, close: () => runtime.close() };
    },
  });
});

describe("gateway's InboundAuthenticator ← identity", () => {
  inboundAuthenticatorConformance({
    test,
    async create() {
      const container = await identities();
      const principal = { tenant: "acme", agent: "resolver" };
      const tokens = container.get(identity.AGENT_TOKENS);
      const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
      const right = await tokens.issue({ principal }, { audience: "api" });
      const elsewhere = await tokens.issue({ principal }, { audience: "another" });
      return {
        authenticator: container.get(identity.AUTHENTICATOR),
        headers: bearer(right),
        principal,
        wrong: [bearer("nonsense"), bearer(`${right.slice(0, -4)}AAAA`), bearer(elsewhere)],
      };
    },
  });
});

describe("gateway's CredentialInjector ← identity", () => {
  credentialInjectorConformance({
    test,
    async create() {
      const container = await identities();
      const secret = "a-token-for-the-tickets";
      await container.get(identity.VAULT).add(context, {
        reference: "ticket_db_token",
        hosts: ["tickets.example"],
        secret: { kind: "bearer", token: secret },
      });
      return {
        injector: container.get(identity.INJECTOR),
        context,
        reference: "ticket_db_token",
        url: "https://tickets.example/T-1",
        secret,
        stranger,
        elsewhere: "https://elsewhere.example/",
      };
    },
  });
});

describe("tools' EgressCredentials ← identity", () => {
  egressCredentialsConformance({
    test,
    async create() {
      const container = await identities();
      const secret = "a-token-for-the-tickets";
      await container.get(identity.VAULT).add(context, {
        reference: "ticket_db_token",
        hosts: ["tickets.example"],
        secret: { kind: "bearer", token: secret },
      });
      const credentials = container.get(identity.EGRESS);
      const placeholder = await credentials.placeholder(context, "ticket_db_token");
      return { credentials, context, stranger, host: "tickets.example", placeholder, secret };
    },
  });
});

describe("tools' Sealer ← identity", () => {
  sealerConformance({
    test,
    create: async () => ({ sealer: (await identities()).get(identity.SEALER), context, stranger }),
  });
});

describe("tools' Workspaces ← runtime", () => {
  workspacesConformance({
    test,
    create: async () => ({
      workspaces: new BlobWorkspaces({ blobs: new InMemoryBlobStore() }),
      context,
      stranger,
    }),
  });
});

const until = async (runtime: Runtime, session: string, type: string) => {
  for await (const event of runtime.sessions.events(context, session)) if (event.type === type) return event;
  throw new Error(`The session ended without ${type}.`);
};

describe("observability's SessionReader ← runtime", () => {
  sessionReaderConformance({
    test,
    async createReader() {
      const runtime = await runtimeWith(echo);
      const sessions: string[] = [];
      for (let count = 0; count < 3; count++) {
        const { id } = await runtime.sessions.open(context, { agent: "echo" });
        await runtime.sessions.send(context, id, { type: "user.message", body: "hello" });
        await until(runtime, id, "session.status_idle");
        sessions.push(id);
      }
      return { reader: runtime.records, sessions, close: () => runtime.close() };
    },
  });
});

describe("observability's SessionControl ← runtime", () => {
  sessionControlConformance({
    test,
    async createControl() {
      const runtime = await runtimeWith({
        name: "asks",
        async run(session) {
          await session.ask("pay", { action: "refund" });
        },
      });
      const { id } = await runtime.sessions.open(context, { agent: "asks" });
      await runtime.sessions.send(context, id, { type: "user.message", body: null });
      const asked = await until(runtime, id, "approval.requested");
      await until(runtime, id, "session.status_waiting");
      const { request } = asked.body as { request: string };
      return { control: runtime.sessions, session: id, request, close: () => runtime.close() };
    },
  });
});
