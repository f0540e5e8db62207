import "reflect-metadata";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { ApiKeys, type Gateway } from "@ashlar/gateway";
import * as gateway from "@ashlar/gateway/inversify";
import { SqliteGatewayStore } from "@ashlar/gateway/sqlite";
import { createKeyFile, KeyFileWrapper, type Policy } from "@ashlar/identity";
import * as identity from "@ashlar/identity/inversify";
import { SessionMemoryAdapter } from "@ashlar/memory";
import * as memory from "@ashlar/memory/inversify";
import { prometheusExporter } from "@ashlar/observability";
import * as observability from "@ashlar/observability/inversify";
import { type AgentCatalog, BlobWorkspaces } from "@ashlar/runtime";
import * as runtime from "@ashlar/runtime/inversify";
import * as tools from "@ashlar/tools/inversify";
import { agentTools, codeInterpreterTools } from "@ashlar/tools/toolset";
import Database from "better-sqlite3";
import { Container } from "inversify";
import { onPath } from "../ticket-resolver/processes.ts";
import { type AgentParts, agentCatalog, forEveryTenant } from "./agents.ts";
import { authentication, ownNames, trustedIssuers } from "./authentication.ts";
import { consoleDoor } from "./console-door.ts";
import type { AgentDefinition } from "./definition.ts";
import type { Definitions } from "./definition-folder.ts";
import { bindEngine } from "./engine.ts";
import { Models } from "./models.ts";
import type { Options } from "./options.ts";
import { ReloadedTransport } from "./reloaded-transport.ts";
import { authenticated, routes } from "./routes.ts";
import { secretFile } from "./secret-file.ts";
import { sessionApprovals } from "./session-approvals.ts";

export interface Stack {
  readonly container: Container;
  readonly keys: ApiKeys;
  readonly agents: AgentCatalog<AgentDefinition>;
  readonly models: Models;
  readonly transport: ReloadedTransport;
  /** What stands beside the gateway at the same address. */
  readonly fetch: (gateway: Gateway) => Gateway["fetch"];
  close(): Promise<void>;
}

export interface StackParts {
  readonly auth: Definitions["auth"];
  /** Asked at each decision, so that they can change. */
  readonly policies: () => readonly Policy[];
  readonly environment: NodeJS.ProcessEnv;
}

/** The composition root: six packages in one container. */
export async function compose(options: Options, { auth, policies, environment }: StackParts): Promise<Stack> {
  const { data, tenant } = options;
  const container = new Container();
  const open = (name: string) => new Database(join(data, `${name}.db`));
  const [doors, identities, traces, remembered] = [open("gateway"), open("identity"), open("traces"), open("memory")];
  const databases = [doors, identities, traces, remembered];

  const prometheus = prometheusExporter();
  container.bind(observability.TRACE_DATABASE).toConstantValue(traces);
  const watching = [
    observability.redactionModule({ personalData: false }),
    observability.sqliteTraceStoreModule(),
    observability.pricingModule({ models: { "scripted*": { inputPerMillion: 0, outputPerMillion: 0 } } }),
    observability.observabilityModule({ serviceName: "ashlar-server", defaultTenant: tenant, exporters: [prometheus] }),
  ];

  const keyFile = join(data, "vault.key");
  await access(keyFile).catch(() => createKeyFile(keyFile));
  const audience = "ashlar-server";
  container.bind(identity.IDENTITY_DATABASE).toConstantValue(identities);
  container.bind(identity.KEY_WRAPPER).toConstantValue(new KeyFileWrapper({ path: keyFile }));
  container.bind(identity.IDENTITY_OPTIONS).toConstantValue({ issuer: "https://ashlar-server.invalid", audience });
  container.bind(identity.POLICIES).toConstantValue({ policies: async () => policies() });
  container.bind(identity.TRUSTED_ISSUERS).toConstantValue(trustedIssuers(auth, tenant));
  const knowing = [identity.sqliteIdentityModule(), identity.identityModule()];

  const engine = await bindEngine(container, options, environment);
  const agents = agentCatalog(engine.catalog, () => parts); // made of what is composed below
  container.bind(runtime.BLOB_STORE).toConstantValue(engine.blobs);
  container.bind(runtime.AGENT_SOURCE).toConstantValue(forEveryTenant(agents, tenant));
  container.bind(runtime.REDACTOR).toService(observability.REDACTOR);
  const running = [engine.module, runtime.runtimeModule()];

  // A session's files outlive its sandbox, which ends when nobody uses it.
  container.bind(tools.WORKSPACES).toConstantValue(new BlobWorkspaces({ blobs: engine.blobs }));
  const sandboxes = [
    tools.bubblewrapModule({ bwrap: onPath("bwrap") }),
    tools.wasmModule(),
    tools.toolsModule({ minIsolation: "language" }),
    tools.sandboxToolsModule({
      tools: [...agentTools, ...codeInterpreterTools],
      spec: ({ principal }) => ({ workspace: `${principal.agent ?? "people"}/${principal.session}` }),
    }),
  ];

  container.bind(memory.MEMORY_DATABASE).toConstantValue(remembered);
  const memories = [memory.sqliteMemoryModule(), memory.memoryModule()];

  await container.loadAsync(...watching, ...knowing, ...sandboxes, ...memories, ...running);

  const keys = new ApiKeys({ store: new SqliteGatewayStore({ database: doors }) });
  const approvals = sessionApprovals(container.get(identity.PERMISSIONS));
  const authenticator = authentication(keys, container.get(identity.AUTHENTICATOR));
  const transport = new ReloadedTransport();
  container.bind(gateway.INBOUND_AUTHENTICATOR).toConstantValue(authenticator);
  container.bind(gateway.CREDENTIAL_INJECTOR).toService(identity.INJECTOR);
  container.bind(gateway.PERMISSIONS).toConstantValue(approvals.forGateway);
  container.bind(gateway.AGENT_SESSIONS).toService(runtime.SESSIONS);
  const sessionKey = await secretFile(join(data, "mcp-sessions.key"), 32);
  const door = gateway.gatewayModule({ transport, sessionKey, origins: { hosts: ownNames(options, auth) } });

  const metrics = authenticated(authenticator, prometheus.handler);
  const { authenticate, around } = consoleDoor(authenticator);
  container.bind(observability.SESSION_READER).toService(runtime.SESSION_RECORDS);
  container.bind(observability.SESSION_CONTROL).toService(runtime.SESSIONS);
  container.bind(observability.PERMISSIONS).toService(identity.PERMISSIONS);
  const looking = observability.consoleModule({ authenticate });
  await container.loadAsync(door, looking);

  const models = new Models({ injector: container.get(identity.INJECTOR), environment });
  const remembering = container.get(memory.MEMORY);
  const parts: AgentParts = {
    ...{ tenant, models, permissions: approvals.forAgents },
    tools: approvals.asked(container.get(gateway.GATEWAY_TOOLS)),
    memory: (name) => new SessionMemoryAdapter({ memory: remembering, name }),
    pricing: container.get(observability.PRICING),
  };

  const modules = [watching, knowing, sandboxes, memories, running, door, looking].flat();
  return {
    ...{ container, keys, agents, models, transport },
    fetch: (gate) => routes(gate, { console: around(container.get(observability.CONSOLE)), metrics }),
    async close() {
      for (const each of modules.toReversed()) await container.unloadAsync(each);
      await models.close();
      await transport.close();
      await engine.close();
      for (const database of databases) database.close();
    },
  };
}
