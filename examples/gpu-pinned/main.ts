/** Custom scheduling: labels, priorities, fair share and a retry function, each in a few lines of the team's own code. */
import assert from "node:assert/strict";
import { type Agent, InMemorySessionLog, InMemoryWorkQueue, Runtime } from "@ashlar/runtime";

const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue() };
const order: string[] = [];
const note = (name: string, more: Partial<Agent> = {}): Agent => ({
  name,
  ...more,
  run: async (session) => void order.push(`${session.context.principal.tenant}:${name}`),
});

// Labels: this agent runs only where there is such a card.
const embed = note("embed", { requires: ["gpu:a100"] });

// Priorities: the pager comes before the report, whoever waited longer.
const report = note("report", { priority: -10 });
const pager = note("pager", { priority: 100 });

// A retry function: any code may decide, from the error and the count.
let tries = 0;
const flaky: Agent = {
  name: "flaky",
  run: (session) =>
    session.step(
      "call",
      async ({ attempt }) => {
        tries = attempt;
        if (attempt < 3) throw Object.assign(new Error("try again"), { status: 503 });
        return "done";
      },
      {
        retry: (error, attempt) =>
          (error as { status?: number }).status === 503 && attempt < 5 ? 10 * 2 ** attempt : undefined,
      },
    ),
};

const agents = [embed, report, pager, flaky, note("job")];
const worker = (labels: readonly string[]) => new Runtime({ ...stores, agents, labels, concurrency: 1, sweepMs: 20 });

const desk = worker([]);
const start = async (tenant: string, agent: string): Promise<string> => {
  const context = { principal: { tenant } };
  const { id } = await desk.sessions.open(context, { agent });
  await desk.sessions.send(context, id, { type: "user.message", body: {} });
  return id;
};
const idle = async (tenant: string, id: string): Promise<void> => {
  for await (const event of desk.sessions.events({ principal: { tenant } }, id)) {
    if (event.type === "session.status_idle") return;
  }
};

const embedding = await start("acme", "embed");
const started: [string, string][] = [["acme", await start("acme", "report")]];
for (let index = 0; index < 6; index++) started.push(["flood", await start("flood", "job")]);
started.push(["small", await start("small", "job")], ["acme", await start("acme", "pager")]);
started.push(["acme", await start("acme", "flaky")]);

const cpu = worker(["cpu"]);
await cpu.start();
for (const [tenant, id] of started) await idle(tenant, id);
console.log("One worker without the card:", order.join(", "));

assert.equal(order[0], "acme:pager", "the highest priority came first");
assert.equal(order.at(-1), "acme:report", "the lowest priority came last");
assert.ok(order.indexOf("small:job") <= 2, "a small tenant did not wait behind a flood");
assert.equal(tries, 3, "the retry function decided");
assert.ok(!order.includes("acme:embed"), "nothing without the card ran the embedding");
const waiting = (await stores.queue.depth()).filter(({ lane }) => lane.requires.length > 0);
console.log("Waiting for hardware:", JSON.stringify(waiting));
assert.equal(waiting[0]?.waiting, 1, "what waits for a label can be seen");

const gpu = worker(["cpu", "gpu:a100"]);
await gpu.start();
await idle("acme", embedding);
console.log("A worker with the card came:", order.at(-1));
assert.equal(order.at(-1), "acme:embed");
await Promise.all([cpu.close(), gpu.close()]);
