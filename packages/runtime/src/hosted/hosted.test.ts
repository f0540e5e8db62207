import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ProcessHost } from "../host/index.ts";
import { InMemorySessionLog, InMemoryWorkQueue, Runtime, type SessionEvent } from "../index.ts";
import { hostedAgent } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const library = new URL("./index.ts", import.meta.url).href;

async function turnOf(code: string) {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-hosted-"));
  const file = join(folder, "agent.mts");
  await writeFile(file, code.replace("LIBRARY", JSON.stringify(library)));
  const agent = hostedAgent({
    name: "child",
    place: { host: new ProcessHost() },
    program: {
      command: [process.execPath, "--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", file],
    },
  });
  await using runtime = new Runtime({ log: new InMemorySessionLog(), queue: new InMemoryWorkQueue(), agents: [agent] });
  await runtime.start();
  const { id } = await runtime.sessions.open(context, { agent: "child" });
  await runtime.sessions.send(context, id, { type: "user.message", body: { text: "hello" } });
  const events: SessionEvent[] = [];
  for await (const event of runtime.sessions.events(context, id)) {
    if (event.seq !== undefined) events.push(event);
    if (event.type === "approval.requested") {
      const { request } = event.body as { request: string };
      await runtime.sessions.answer(context, id, request, { allow: true });
    }
    if (event.type === "session.status_idle") break;
  }
  return events;
}

const bodyOf = (events: readonly SessionEvent[], type: string) => events.find((event) => event.type === type)?.body;

test("an agent in a child takes steps, asks a person without a process, and goes on", async () => {
  const events = await turnOf(`
    import { serveHosted } from LIBRARY;
    await serveHosted(async (session, input) => {
      const price = await session.step("price", async ({ idempotencyKey }) => ({ key: idempotencyKey, value: 42 }));
      const { allow } = await session.ask("pay", { action: "pay", arguments: price });
      await session.emit("paid", { allow });
      return { said: input.body.text, price: price.value };
    });`);
  expect(bodyOf(events, "turn.completed")).toEqual({ output: { said: "hello", price: 42 } });
  expect(bodyOf(events, "paid")).toEqual({ allow: true });
  expect(bodyOf(events, "sandbox.started")).toEqual({ grade: "process" });
  expect(events.filter(({ type }) => type === "step.started")).toHaveLength(1);
});
