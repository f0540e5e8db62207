import { Container } from "inversify";
import { expect, test } from "vitest";
import { failing } from "./fixtures/failing.ts";
import { bearerInjector, bearers, redactorOf } from "./fixtures/parts.ts";
import { type CredentialInjector, GatewayError, InMemoryApprovalStore, InMemoryRateLimiter } from "./index.ts";
import {
  APPROVAL_STORE,
  GATEWAY,
  GATEWAY_TOOLS,
  gatewayModule,
  INBOUND_AUTHENTICATOR,
  PERMISSIONS,
  PRICING,
  RATE_LIMITER,
  SLOT_LIMITER,
} from "./inversify/index.ts";
import {
  agentSessionsConformance,
  credentialInjectorConformance,
  InMemoryAgentSessions,
  inboundAuthenticatorConformance,
} from "./testing/index.ts";

const principal = { tenant: "acme", user: "ann" };
const authentication = async () => ({
  authenticator: bearers({ "right-token": principal }),
  headers: { authorization: "Bearer right-token" },
  principal,
  wrong: [{ authorization: "Bearer wrong-token" }],
});
const injection = async () => {
  const url = "https://tickets.example/mcp";
  const inner = bearerInjector({ key: "s3cret-token-value" });
  const injector: CredentialInjector = {
    async inject(context, reference, request) {
      if (context.principal.tenant !== "acme" || request.url !== url) {
        throw new GatewayError("GATEWAY_DENIED", "Not bound.");
      }
      return inner.inject(context, reference, request);
    },
  };
  return {
    injector,
    context: { principal },
    stranger: { principal: { tenant: "globex" } },
    reference: "key",
    url,
    elsewhere: "https://evil.example/mcp",
    secret: "s3cret-token-value",
  };
};
const agents = async () => ({
  sessions: new InMemoryAgentSessions({ echo: (input) => input }),
  agent: "echo",
  message: { type: "user.message", body: { content: "hello" } },
});

inboundAuthenticatorConformance({ test, create: authentication });
credentialInjectorConformance({ test, create: injection });
agentSessionsConformance({ test, create: agents });

test("the suites catch planted faults", async () => {
  const trusting = async () => ({
    ...(await authentication()),
    authenticator: {
      authenticate: async (request: Request) =>
        request.headers.has("authorization")
          ? { ...principal, tenant: request.headers.get("x-tenant") ?? "acme" }
          : undefined,
    },
  });
  expect(await failing((each) => inboundAuthenticatorConformance({ test: each, create: trusting }))).toHaveLength(2);

  const chunkBlind = async () => {
    const parts = await injection();
    const redactor = { ...redactorOf(parts.secret), stream: () => new TransformStream<Uint8Array, Uint8Array>() };
    const injector: CredentialInjector = {
      inject: async (...args) => ({ ...(await parts.injector.inject(...args)), redactor }),
    };
    return { ...parts, injector };
  };
  expect(await failing((each) => credentialInjectorConformance({ test: each, create: chunkBlind }))).toEqual([
    "CredentialInjector: its redactor removes the secret from values, and from streams that split it anywhere",
  ]);

  const leaky = async () => {
    const parts = await agents();
    const send = parts.sessions.send.bind(parts.sessions);
    parts.sessions.send = ({ idempotencyKey: _, ...context }, ...rest) => send({ ...context, principal }, ...rest);
    return parts;
  };
  expect(await failing((each) => agentSessionsConformance({ test: each, create: leaky }))).toEqual([
    "AgentSessions: a repeated idempotency key sends once",
    "AgentSessions: another tenant's session is not_found for every verb",
  ]);
});

test("the module makes one gateway with its tools, refuses to be loaded twice, and closes what it made", async () => {
  const container = new Container();
  container.bind(INBOUND_AUTHENTICATOR).toConstantValue((await authentication()).authenticator);
  let closed = false;
  const target = {
    name: "t",
    list: async () => [],
    call: async () => ({ content: [] }),
    close: async () => {
      closed = true;
    },
  };
  const module = gatewayModule({ targets: [target] });
  await container.load(module);
  const gateway = await container.getAsync(GATEWAY);
  expect(await container.getAsync(GATEWAY_TOOLS)).toBe(gateway.tools);
  await expect(async () => container.load(gatewayModule())).rejects.toThrow(/already bound/);
  await container.unloadAsync(module);
  expect(closed).toBe(true);
});

test("the module takes the ports that are bound: both limiters, prices, and where calls wait", async () => {
  const container = new Container();
  const used = new Set<string>();
  const approvals = new InMemoryApprovalStore();
  const limiter = new InMemoryRateLimiter();
  container.bind(INBOUND_AUTHENTICATOR).toConstantValue((await authentication()).authenticator);
  container.bind(PERMISSIONS).toConstantValue({ decide: async () => ({ effect: "ask", reason: "all are" }) });
  container.bind(APPROVAL_STORE).toConstantValue(approvals);
  container.bind(PRICING).toDynamicValue(() => {
    used.add("prices");
    return { price: () => ({ micros: 1, currency: "USD" }) };
  });
  container.bind(RATE_LIMITER).toConstantValue({
    take: (...args) => {
      used.add("rates");
      return limiter.take(...args);
    },
    charge: async () => void used.add("charges"),
  });
  container.bind(SLOT_LIMITER).toConstantValue({
    acquire: async () => {
      used.add("slots");
      return { release: async () => {} };
    },
  });
  await container.load(
    gatewayModule({
      targets: [{ name: "t", list: async () => [], call: async () => ({ content: [] }) }],
      limits: {
        rules: [
          { name: "calls", per: ["tenant"], quota: { limit: 10, windowMs: 1000 } },
          { name: "at-once", unit: "concurrency", per: ["tenant"], max: 1 },
        ],
      },
    }),
  );
  const gateway = await container.getAsync(GATEWAY);
  const call = gateway.tools.call({ principal }, "pay", {});
  await expect(call).rejects.toMatchObject({ code: "GATEWAY_APPROVAL_NEEDED" });
  expect([...used].sort()).toEqual(["prices", "rates", "slots"]);
  expect((await approvals.open("acme", { now: 0 })).items).toHaveLength(1);
  await gateway.close();
});
