/** The runtime's process: the whole stack, until it is told to stop, or killed. Prints one line of JSON when it is up. */
import { GATEWAY } from "@ashlar/gateway/inversify";
import { serve } from "@ashlar/gateway/node";
import { AGENT_TOKENS } from "@ashlar/identity/inversify";
import { MemoryTools } from "@ashlar/memory";
import { MEMORY } from "@ashlar/memory/inversify";
import { OBSERVABILITY, PRICING } from "@ashlar/observability/inversify";
import { RUNTIME } from "@ashlar/runtime/inversify";
import { SANDBOX_BACKEND, SANDBOX_TOOLS } from "@ashlar/tools/inversify";
import { ticketResolver } from "./agent.ts";
import { AGENT, MEMORY as MEMORY_NAME, type WorkerConfig } from "./config.ts";
import { compose } from "./container.ts";
import { crashing, withoutIdempotencyKeys } from "./crashing-tools.ts";
import { gatewayTools } from "./gateway-tools.ts";
import { languageModel } from "./model.ts";
import { reachesListener } from "./sandbox-check.ts";

const config = JSON.parse(process.env.ASHLAR_WORKER ?? "{}") as WorkerConfig;
const { container, close } = await compose(config).catch(giveUp);
container
  .get(OBSERVABILITY)
  .tracer(AGENT)
  .startSpan("worker.start", { attributes: { "demo.control": config.control } })
  .end();

const server = await serve(await container.getAsync(GATEWAY), { port: config.port }).catch(giveUp);
const sandbox = await container.getAsync(SANDBOX_TOOLS);
const backend = await container.getAsync(SANDBOX_BACKEND);
const tickets = gatewayTools({ url: server.url, tokens: container.get(AGENT_TOKENS) });

const runtime = container.get(RUNTIME);
const resolver = ticketResolver({
  model: languageModel(config.model, process.env),
  sandbox,
  tickets: crashing(config.idempotencyKeys ? tickets : withoutIdempotencyKeys(tickets), config),
  memory: new MemoryTools({ memory: container.get(MEMORY), name: MEMORY_NAME }),
  pricing: container.get(PRICING),
});
runtime.define({
  ...resolver,
  run(session, input) {
    console.log(JSON.stringify({ running: config.worker }));
    return resolver.run(session, input);
  },
});
await runtime.start().catch(giveUp);

const up = {
  url: server.url,
  backend: backend.name,
  grade: backend.grade,
  missing: await sandbox.unavailable(),
  reached: await reachesListener(backend, config.listener),
};
console.log(JSON.stringify(up));

process.once("SIGTERM", async () => {
  await runtime.close();
  await server.close();
  await close();
});

/** One sentence, and the job knows that there is no worker. */
function giveUp(error: Error & { readonly code?: string }): never {
  const inUse = error.code === "EADDRINUSE";
  console.error(inUse ? `Port ${config.port} is in use: name another with --port.` : error.message);
  process.exit(1);
}
