import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { aiSdkTools } from "@ashlar/tools/ai";
import {
  BrowserSandboxes,
  BrowserServer,
  type BrowserSession,
  Browsers,
  browserTools,
  FolderRecordings,
} from "@ashlar/tools/browser";
import { BubblewrapBackend } from "@ashlar/tools/bubblewrap";
import { EgressProxy } from "@ashlar/tools/egress";
import { SandboxTools } from "@ashlar/tools/toolset";
import { generateText, isStepCount, tool } from "ai";
import { z } from "zod";
import { startScriptedModel } from "./scripted-model.ts";
import { ExpenseSite } from "./site.ts";

const site = new ExpenseSite();
await site.start();
const host = { host: "127.0.0.1", port: site.port };

// Browsers reach the site and nothing else; what they show is recorded.
const folder = await mkdtemp(join(tmpdir(), "ashlar-recordings-"));
const recordings = new FolderRecordings({ folder });
const backend = new BubblewrapBackend({ egress: new EgressProxy({ allowPrivate: [host] }) });
let session: BrowserSession | undefined;
const browsers = new Browsers({
  ...{ backend, recordings },
  onOpen(opened) {
    session = opened;
  },
});
const sandboxes = new BrowserSandboxes({ browsers, spec: { record: true, network: { mode: "allow", hosts: [host] } } });
const tools = new SandboxTools({ backend: sandboxes, tools: browserTools });

// People come in here.
const server = new BrowserServer({ session: (id) => browsers.get(id), recordings });
const { port } = await server.listen();
const askPerson = tool({
  description: "Ask a person to take over the browser, and wait until it is given back.",
  inputSchema: z.object({ reason: z.string() }),
  async execute({ reason }) {
    assert.ok(session, "the browser is open");
    const { control } = session;
    console.log(`a person is needed: ${reason}`);
    console.log(`on the phone: ${site.code}`);
    console.log(`live view: http://127.0.0.1:${port}${server.livePath(session, { by: "Ada" })}`);
    await new Promise<void>((resolve) => control.onChange((holder) => holder === undefined && resolve()));
    return "The person has given the control back.";
  },
});

const context = { principal: { tenant: "harbour", agent: "expenses", session: "ses_1" } };
const scripted = await startScriptedModel();
console.log("model: scripted, over the Chat Completions protocol");
const { text } = await generateText({
  model: createOpenAICompatible({ name: "scripted", baseURL: scripted.baseURL })("scripted-model"),
  tools: { ...(await aiSdkTools(tools, context)), ask_person: askPerson },
  prompt: `File 184.50 EUR of travel for Ada Lovelace, for the train to the harbour, at http://127.0.0.1:${site.port}/`,
  stopWhen: isStepCount(20),
});
console.log(`agent: ${text}`);
assert.match(text, /HX-2047/);
assert.deepEqual(site.filed, [
  { employee: "Ada Lovelace", amount: "184.50", category: "Travel", purpose: "Train to the harbour" },
]);

await tools.close();
assert.ok(session);
const log = Buffer.from((await recordings.read(context, session.id, "log")) ?? []).toString();
assert.ok(
  log.includes('"by":"person"') && !log.includes(site.code),
  "the recording tells who acted, not what was typed",
);
const path = server.recordingPath(session.id, { principal: context.principal, by: "Ada" });
console.log(`recording: http://127.0.0.1:${port}${path}`);
console.log("press Enter to end");
await once(process.stdin.resume(), process.stdin.isTTY ? "data" : "end");

process.stdin.destroy();
await server.close();
await browsers.close();
await backend.close();
scripted.close();
site.close();
await rm(folder, { recursive: true });
