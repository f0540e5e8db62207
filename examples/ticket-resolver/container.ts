import "reflect-metadata";
import { join } from "node:path";
import { mcpTarget } from "@ashlar/gateway";
import * as gateway from "@ashlar/gateway/inversify";
import { KeyFileWrapper, type Policy } from "@ashlar/identity";
import * as identity from "@ashlar/identity/inversify";
import * as memory from "@ashlar/memory/inversify";
import * as observability from "@ashlar/observability/inversify";
import * as runtime from "@ashlar/runtime/inversify";
import * as tools from "@ashlar/tools/inversify";
import { agentTools, codeInterpreterTools } from "@ashlar/tools/toolset";
import Database from "better-sqlite3";
import { Container } from "inversify";
import { Redis } from "ioredis";
import { AGENT, AUDIENCE, TENANT, type WorkerConfig } from "./config.ts";
import { bindEngine } from "./engine.ts";
import { onPath } from "./processes.ts";

/** Who may do what: the support desk talks to the agent, the agent calls these tools of the ticket system. */
const policies: readonly Policy[] = [
  { id: "desk", effect: "allow", principal: { agents: ["support-desk"] }, actions: ["agent.*"], resources: [AGENT] },
  {
    id: "resolver",
    effect: "allow",
    principal: { agents: [AGENT] },
    actions: ["tool.call"],
    resources: ["tickets/get_ticket", "tickets/list_charges", "tickets/reply_to_ticket"],
  },
  {
    id: "refunds up to 500",
    effect: "allow",
    principal: { agents: [AGENT] },
    actions: ["tool.call"],
    resources: ["tickets/refund_charge"],
    when: [{ path: "/amount_cents", atMost: 50_000 }],
  },
];

/** The tools of the agent's definition, under the names it uses. */
const names: Readonly<Record<string, string>> = {
  bash: "bash",
  read: "file_read",
  write: "file_write",
  executeCode: "execute_code",
};
const sandboxTools = [...agentTools, ...codeInterpreterTools].flatMap((tool) => {
  const name = names[tool.name];
  return name === undefined ? [] : [{ ...tool, name }];
});

/** The whole stack. What is bound here stays open until `close`; the modules close what they made. */
export async function compose(
  config: WorkerConfig,
): Promise<{ readonly container: Container; close(): Promise<void> }> {
  const { data, keyFile, tickets } = config;
  const container = new Container();
  const open = (name: string) => new Database(join(data, `${name}.db`));
  const databases = { identity: open("identity"), traces: open("traces") };

  container.bind(observability.TRACE_DATABASE).toConstantValue(databases.traces);
  const watching = [
    observability.redactionModule({ personalData: false }),
    observability.sqliteTraceStoreModule(),
    observability.pricingModule({ models: { "scripted*": { inputPerMillion: 3, outputPerMillion: 15 } } }),
    observability.observabilityModule({ serviceName: AGENT, defaultTenant: TENANT }),
  ];

  container.bind(identity.IDENTITY_DATABASE).toConstantValue(databases.identity);
  container.bind(identity.KEY_WRAPPER).toConstantValue(new KeyFileWrapper({ path: keyFile }));
  container
    .bind(identity.IDENTITY_OPTIONS)
    .toConstantValue({ issuer: "https://agents.acme.example", audience: AUDIENCE });
  container.bind(identity.POLICIES).toConstantValue({ policies: async () => policies });
  const identities = [identity.sqliteIdentityModule(), identity.identityModule()];

  const sandboxes = [
    tools.bubblewrapModule({ bwrap: onPath("bwrap") }),
    tools.wasmModule(),
    tools.toolsModule({ minIsolation: "language" }),
    tools.sandboxToolsModule({ tools: sandboxTools }),
  ];

  const redis = config.memory.kind === "redis" ? new Redis(config.memory.url) : undefined;
  const remembered = redis === undefined ? open("memory") : undefined;
  if (redis !== undefined) container.bind(memory.MEMORY_REDIS).toConstantValue(redis);
  if (remembered !== undefined) container.bind(memory.MEMORY_DATABASE).toConstantValue(remembered);
  const memories = [redis ? memory.redisMemoryModule() : memory.sqliteMemoryModule(), memory.memoryModule()];

  const engine = await bindEngine(container, config.sessions, data);
  container.bind(runtime.REDACTOR).toService(observability.REDACTOR); // what no event may hold
  const sessions = [engine.module, runtime.runtimeModule()];

  container.bind(gateway.INBOUND_AUTHENTICATOR).toService(identity.AUTHENTICATOR); // who is calling
  container.bind(gateway.CREDENTIAL_INJECTOR).toService(identity.INJECTOR); // the only reader of the vault
  container.bind(gateway.PERMISSIONS).toService(identity.PERMISSIONS); // who may do what
  container.bind(gateway.AGENT_SESSIONS).toService(runtime.SESSIONS); // agents as APIs
  const target = mcpTarget({ name: "tickets", url: tickets, auth: { credentialRef: "ticket_db_token" } });
  const door = [gateway.gatewayModule({ targets: [target], allow: [new URL(tickets).host] })];

  const modules = [watching, identities, sandboxes, memories, sessions, door];
  await container.loadAsync(...modules.flat());
  return {
    container,
    async close() {
      for (const each of modules.flat().toReversed()) await container.unloadAsync(each);
      await engine.close();
      redis?.disconnect();
      for (const database of [remembered, ...Object.values(databases)]) database?.close();
    },
  };
}
