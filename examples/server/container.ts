import "reflect-metadata";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { ApiKeys, type Gateway } from "@ashlar/gateway";
import * as gateway from "@ashlar/gateway/inversify";
import { SqliteGatewayStore } from "@ashlar/gateway/sqlite";
import { createKeyFile, KeyFileWrapper, type Policy } from "@ashlar/identity";
import * as identity from "@ashlar/identity/inversify";
import * as memory from "@ashlar/memory/inversify";
import { prometheusExporter } from "@ashlar/observability";
import * as observability from "@ashlar/observability/inversify";
import { BlobWorkspaces, type Catalog } from "@ashlar/runtime";
import { DiskBlobStore } from "@ashlar/runtime/disk";
import * as runtime from "@ashlar/runtime/inversify";
import { SqliteCatalog } from "@ashlar/runtime/sqlite";
import * as tools from "@ashlar/tools/inversify";
import { agentTools, codeInterpreterTools } from "@ashlar/tools/toolset";
import Database from "better-sqlite3";
import { Container } from "inversify";
import { onPath } from "../ticket-resolver/processes.ts";
import { authentication, ownNames, trustedIssuers } from "./authentication.ts";
import { consoleDoor } from "./console-door.ts";
import type { Definitions } from "./definition-folder.ts";
import type { Options } from "./options.ts";
import { PublishedAgents } from "./published-agents.ts";
import { ReloadedTransport } from "./reloaded-transport.ts";
import { authenticated, routes } from "./routes.ts";
import { secretFile } from "./secret-file.ts";
import { sessionApprovals } from "./session-approvals.ts";

export interface Stack {
  readonly container: Container;
  readonly keys: ApiKeys;
  readonly published: PublishedAgents;
  readonly approvals: ReturnType<typeof sessionApprovals>;
  readonly transport: ReloadedTransport;
  readonly catalog: Catalog;
  /** What stands beside the gateway at the same address. */
  readonly fetch: (gateway: Gateway) => Gateway["fetch"];
  close(): Promise<void>;
}

/** The composition root: six packages in one container. `policies` is asked at each decision, so that they can change. */
export async function compose(
  options: Options,
  { auth }: Pick<Definitions, "auth">,
  policies: () => readonly Policy[],
): Promise<Stack> {
  const { data, tenant } = options;
  const container = new Container();
  const open = (name: string) => new Database(join(data, `${name}.db`));
  const [doors, identities, sessions] = [open("gateway"), open("identity"), open("sessions")];
  const [traces, remembered] = [open("traces"), open("memory")];
  const databases = [doors, identities, sessions, traces, remembered];

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

  // A session's files outlive its sandbox, which ends when nobody uses it.
  const blobs = new DiskBlobStore({ folder: join(data, "blobs") });
  container.bind(tools.WORKSPACES).toConstantValue(new BlobWorkspaces({ blobs }));
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

  container.bind(runtime.RUNTIME_DATABASE).toConstantValue(sessions);
  container.bind(runtime.REDACTOR).toService(observability.REDACTOR);
  const running = [runtime.sqliteRuntimeModule(), runtime.runtimeModule()];

  await container.loadAsync(...watching, ...knowing, ...sandboxes, ...memories, ...running);

  const keys = new ApiKeys({ store: new SqliteGatewayStore({ database: doors }) });
  const approvals = sessionApprovals(container.get(identity.PERMISSIONS));
  const authenticator = authentication(keys, container.get(identity.AUTHENTICATOR));
  const published = new PublishedAgents(container.get(runtime.SESSIONS));
  const transport = new ReloadedTransport();
  container.bind(gateway.INBOUND_AUTHENTICATOR).toConstantValue(authenticator);
  container.bind(gateway.CREDENTIAL_INJECTOR).toService(identity.INJECTOR);
  container.bind(gateway.PERMISSIONS).toConstantValue(approvals.forGateway);
  container.bind(gateway.AGENT_SESSIONS).toConstantValue(published);
  const sessionKey = await secretFile(join(data, "mcp-sessions.key"), 32);
  const door = gateway.gatewayModule({ transport, sessionKey, origins: { hosts: ownNames(options, auth) } });

  const metrics = authenticated(authenticator, prometheus.handler);
  const { authenticate, around } = consoleDoor(authenticator);
  container.bind(observability.SESSION_READER).toService(runtime.SESSION_RECORDS);
  container.bind(observability.SESSION_CONTROL).toService(runtime.SESSIONS);
  container.bind(observability.PERMISSIONS).toService(identity.PERMISSIONS);
  const looking = observability.consoleModule({ authenticate });
  await container.loadAsync(door, looking);

  const modules = [watching, knowing, sandboxes, memories, running, door, looking].flat();
  return {
    ...{ container, keys, published, approvals, transport },
    catalog: new SqliteCatalog({ database: sessions }),
    fetch: (gate) => routes(gate, { console: around(container.get(observability.CONSOLE)), metrics }),
    async close() {
      for (const each of modules.toReversed()) await container.unloadAsync(each);
      await transport.close();
      for (const database of databases) database.close();
    },
  };
}
