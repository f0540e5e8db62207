import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { agentsTarget } from "@ashlar/gateway";
import { GATEWAY } from "@ashlar/gateway/inversify";
import { serve } from "@ashlar/gateway/node";
import type { Policy } from "@ashlar/identity";
import { INJECTOR, KEYRING } from "@ashlar/identity/inversify";
import { MemoryTools, SessionMemoryAdapter } from "@ashlar/memory";
import { MEMORY } from "@ashlar/memory/inversify";
import { OBSERVABILITY, PRICING } from "@ashlar/observability/inversify";
import { RUNTIME } from "@ashlar/runtime/inversify";
import { SANDBOX_CHOICE, SANDBOX_TOOLS } from "@ashlar/tools/inversify";
import { AgentVersions } from "./agent-versions.ts";
import { agentOf } from "./agents.ts";
import { operatorKey, refuseOpenDoor } from "./authentication.ts";
import { compose } from "./container.ts";
import { DefinitionFolder } from "./definition-folder.ts";
import { Loader } from "./loader.ts";
import { Models } from "./models.ts";
import { type Options, UsageError } from "./options.ts";
import { ownSandbox } from "./own-sandbox.ts";
import { targetOf } from "./targets.ts";

export interface RunningServer {
  readonly url: string;
  /** Resolves when there is nothing to serve: a key was made and printed. */
  readonly done: Promise<undefined>;
  close(): Promise<void>;
}

export interface ServerParts {
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** Everything up and listening, or one sentence why not and nothing left behind. */
export async function startServer(options: Options, { environment, say }: ServerParts): Promise<RunningServer> {
  const closing: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).toReversed()) await each();
  };
  try {
    return await start();
  } catch (error) {
    await close();
    throw error;
  }

  async function start(): Promise<RunningServer> {
    const folder = new DefinitionFolder(options.definitions);
    const { definitions, problems } = await folder.read();
    if (problems.length > 0) throw new UsageError(problems.join("\n"));
    refuseOpenDoor(options, definitions.auth);
    await dataFolder(options.data);

    let policies: readonly Policy[] = definitions.policies;
    const stack = await compose(options, definitions, () => policies);
    closing.push(stack.close);
    const { container, keys, published, approvals, transport } = stack;
    await container.get(KEYRING).check();
    if (options.newKey !== undefined) {
      const { key } = await keys.create({ tenant: options.tenant, user: options.newKey });
      say(key);
      return { url: "", done: Promise.resolve(undefined), close };
    }
    const keyFile = await operatorKey(keys, options);
    container.get(OBSERVABILITY);

    const gateway = await container.getAsync(GATEWAY);
    const memory = container.get(MEMORY);
    const models = new Models({ injector: container.get(INJECTOR), environment });
    closing.push(() => models[Symbol.asyncDispose]());
    const sandbox = ownSandbox(await container.getAsync(SANDBOX_TOOLS));
    const builtIn = { sandbox, memory: (name: string) => new MemoryTools({ memory, name }) };
    const runtime = container.get(RUNTIME);
    gateway.addTarget(agentsTarget({ name: "agents", agents: published }));
    const loader = new Loader({
      ...{ gateway, runtime, published, transport, say },
      versions: new AgentVersions({ catalog: stack.catalog, tenant: options.tenant }),
      target: (name, definition) =>
        targetOf(name, definition, { builtIn, folder: join(options.definitions, "targets") }),
      agent: (agent) =>
        agentOf(agent, {
          ...{ tenant: options.tenant, models, permissions: approvals.forAgents },
          tools: approvals.asked(gateway.tools),
          memory: (name) => new SessionMemoryAdapter({ memory, name }),
          pricing: container.get(PRICING),
        }),
    });

    const { backend, reports } = await container.getAsync(SANDBOX_CHOICE);
    for (const report of reports) {
      if (!report.ok) say(`sandbox ${report.backend} is not used: ${report.reason} ${report.remedy}`);
    }
    say(`sandbox: ${backend.name}, grade ${backend.grade}; models of the environment: ${models.environment}`);
    const unusable = await loader.apply(definitions);
    if (unusable.length > 0) throw new UsageError(unusable.join("\n"));
    await loader.restore();

    const server = await serve(
      { fetch: stack.fetch(gateway), upgrade: gateway.upgrade, drain: (until) => gateway.drain(until) },
      {
        port: options.port,
        hostname: options.host,
      },
    ).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "EADDRINUSE" || error.code === "EADDRNOTAVAIL" || error.code === "EACCES"
        ? new UsageError(`${options.host}:${options.port} cannot be listened on (${error.code}): name another --port.`)
        : error;
    });
    // Calls under way end while their agents still run; then the sessions are put down.
    closing.push(() => runtime.close());
    closing.push(() => server.close());
    await runtime.start();

    const watching = folder.watch(async () => {
      const reading = await folder.read();
      policies = reading.definitions.policies;
      for (const line of [...reading.problems, ...(await loader.apply(reading.definitions))]) say(line);
    });
    closing.push(() => watching.close());
    say(`listening on ${server.url}; the operator's API key is in ${keyFile}`);
    say(`console: ${server.url}/console`);
    return { url: server.url, done: new Promise(() => {}), close };
  }
}

async function dataFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return;
    throw new UsageError(`The data folder ${path} cannot be written (${error.code}): name another with --data.`);
  });
}
