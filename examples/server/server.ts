import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { agentsTarget, type Gateway } from "@ashlar/gateway";
import { AGENT_SESSIONS, GATEWAY } from "@ashlar/gateway/inversify";
import { type GatewayServer, serve } from "@ashlar/gateway/node";
import { KEYRING } from "@ashlar/identity/inversify";
import { MemoryTools } from "@ashlar/memory";
import { MEMORY } from "@ashlar/memory/inversify";
import { OBSERVABILITY } from "@ashlar/observability/inversify";
import { RUNTIME } from "@ashlar/runtime/inversify";
import { SANDBOX_CHOICE, SANDBOX_TOOLS } from "@ashlar/tools/inversify";
import { operatorKey, refuseOpenDoor } from "./authentication.ts";
import { compose, type Stack } from "./container.ts";
import { DefinitionFolder } from "./definition-folder.ts";
import { Loader } from "./loader.ts";
import { type Options, UsageError } from "./options.ts";
import { ownSandbox } from "./own-sandbox.ts";
import { targetOf } from "./targets.ts";

export interface ServerParts {
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** Everything up and listening, or one sentence why not and nothing left behind. */
export async function startServer(options: Options, { environment, say }: ServerParts): Promise<AsyncDisposable> {
  const folder = new DefinitionFolder(options.definitions);
  const { definitions, problems } = await folder.read();
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  refuseOpenDoor(options, definitions.auth);
  await dataFolder(options.data);

  await using closing = new AsyncDisposableStack();
  let { policies } = definitions;
  const stack = await compose(options, { auth: definitions.auth, policies: () => policies, environment });
  closing.defer(stack.close);
  const { container } = stack;
  await container.get(KEYRING).check();
  container.get(OBSERVABILITY);
  await sayWhatServes(stack, say);

  const gateway = await container.getAsync(GATEWAY);
  const loader = await loaderOf(gateway, stack, options, say);
  const unusable = await loader.apply(definitions);
  if (unusable.length > 0) throw new UsageError(unusable.join("\n"));

  const server = await listen(gateway, stack, options);
  const runtime = container.get(RUNTIME);
  closing.defer(() => runtime.close());
  closing.defer(() => server.close()); // first: calls under way end while their agents still run
  await runtime.start();
  closing.use(
    folder.watch(async () => {
      const reading = await folder.read();
      policies = reading.definitions.policies;
      for (const line of [...reading.problems, ...(await loader.apply(reading.definitions))]) say(line);
    }),
  );
  say(`listening on ${server.url}; the operator's API key is in ${await operatorKey(stack.keys, options)}`);
  say(`console: ${server.url}/console`);
  return closing.move();
}

/** An API key for another user, which is shown this once. */
export async function makeKey(user: string, options: Options, { environment, say }: ServerParts): Promise<void> {
  await dataFolder(options.data);
  const stack = await compose(options, { auth: undefined, policies: () => [], environment });
  try {
    say((await stack.keys.create({ tenant: options.tenant, user })).key);
  } finally {
    await stack.close();
  }
}

async function sayWhatServes({ container, models }: Stack, say: (line: string) => void): Promise<void> {
  const { backend, reports } = await container.getAsync(SANDBOX_CHOICE);
  for (const report of reports) {
    if (!report.ok) say(`sandbox ${report.backend} is not used: ${report.reason} ${report.remedy}`);
  }
  say(`sandbox: ${backend.name}, grade ${backend.grade}; models of the environment: ${models.environment}`);
}

/** The agents are tools too; what else is offered, the definitions say. */
async function loaderOf(
  gateway: Gateway,
  { container, agents, transport }: Stack,
  { tenant, definitions }: Options,
  say: (line: string) => void,
): Promise<Loader> {
  const memory = container.get(MEMORY);
  const builtIn = {
    sandbox: ownSandbox(await container.getAsync(SANDBOX_TOOLS)),
    memory: (name: string) => new MemoryTools({ memory, name }),
  };
  gateway.addTarget(agentsTarget({ name: "agents", agents: container.get(AGENT_SESSIONS) }));
  return new Loader({
    ...{ gateway, agents, tenant, transport, say },
    target: (name, definition) => targetOf(name, definition, { builtIn, folder: join(definitions, "targets") }),
  });
}

async function listen(gateway: Gateway, stack: Stack, { host, port }: Options): Promise<GatewayServer> {
  const door = { fetch: stack.fetch(gateway), upgrade: gateway.upgrade, drain: gateway.drain.bind(gateway) };
  return serve(door, { port, hostname: host }).catch((error: NodeJS.ErrnoException) => {
    if (!["EADDRINUSE", "EADDRNOTAVAIL", "EACCES"].includes(error.code ?? "")) throw error;
    throw new UsageError(`${host}:${port} cannot be listened on (${error.code}): name another --port.`);
  });
}

async function dataFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return;
    throw new UsageError(`The data folder ${path} cannot be written (${error.code}): name another with --data.`);
  });
}
