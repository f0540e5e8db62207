import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { ask, context, start, until } from "../fixtures/stage.ts";
import { ProcessHost } from "../host/index.ts";
import { encodeFrame } from "../internal/frames.ts";
import { HostedChannel } from "./channel.ts";
import { type HostedAgentOptions, hostedAgent } from "./index.ts";

/** Programs that go wrong: the record must name the cause. The control waits for an answer and learns nothing. */
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-hosted-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const library = JSON.stringify(new URL("./index.ts", import.meta.url).href);
const serving = (body: string) => `import { serveHosted } from ${library}; await serveHosted(async () => { ${body} });`;

async function program(code: string) {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.mts`);
  await writeFile(file, code);
  return {
    command: [process.execPath, "--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", file],
  };
}

/** What someone learns who sends the turn and waits a while for its end. */
async function waited(code: string): Promise<unknown> {
  const child = await new ProcessHost().start(context, await program(code));
  await child.stdin
    .getWriter()
    .write(encodeFrame({ type: "turn", session: "ses_1", turn: 1, input: {} }))
    .catch(() => {});
  const frame = new HostedChannel({ ...child, stdin: new WritableStream() }).next().catch(() => undefined);
  const late = new Promise((resolve) => setTimeout(resolve, 1_000));
  const learned = await Promise.race([frame, late]);
  await child.kill();
  return learned;
}

async function failure(code: string, more: Partial<HostedAgentOptions> = {}): Promise<unknown> {
  const place = { host: new ProcessHost() };
  const runtime = await start([hostedAgent({ name: "child", place, program: await program(code), ...more })]);
  const id = await ask(runtime, "child");
  const { body } = await until(runtime, id, "turn.failed");
  await until(runtime, id, "session.status_idle");
  return body;
}

const named = (message: RegExp) => ({ code: "RUNTIME_HOST_FAILED", message: expect.stringMatching(message) });
const control = "who only waits for the answer learns nothing";

const exits = serving(`console.error("the database is gone"); process.exit(3);`);
hostile("an agent that exits in the middle of its turn", {
  control,
  backend: "process",
  unguarded: async () => expect(await waited(exits)).toBeUndefined(),
  guarded: async () => expect(await failure(exits)).toMatchObject(named(/code 3 .*the database is gone/s)),
});

const killed = serving(`process.kill(process.pid, "SIGSEGV"); await new Promise(() => {});`);
hostile("an agent that dies by a signal", {
  control,
  backend: "process",
  unguarded: async () => expect(await waited(killed)).toBeUndefined(),
  guarded: async () => expect(await failure(killed)).toMatchObject(named(/by SIGSEGV/)),
});

const hangs = serving("await new Promise(() => setInterval(() => {}, 1_000));");
hostile("an agent that hangs", {
  control,
  backend: "process",
  unguarded: async () => expect(await waited(hangs)).toBeUndefined(),
  guarded: async () =>
    expect(await failure(hangs, { timeoutMs: 400 })).toMatchObject(named(/did not finish its turn within 400 ms/)),
});

const blocked = serving("for (;;);");
hostile("an agent that never answers", {
  control,
  backend: "process",
  unguarded: async () => expect(await waited(blocked)).toBeUndefined(),
  guarded: async () =>
    expect(await failure(blocked, { answerWithinMs: 300 })).toMatchObject(named(/has not answered for 300 ms/)),
});

const floods = `for (;;) await new Promise((done) => process.stdout.write("x".repeat(65536), done));`;
hostile("an agent that floods its stream", {
  control,
  backend: "process",
  unguarded: async () => expect(await waited(floods)).toBeUndefined(),
  guarded: async () => expect(await failure(floods)).toMatchObject(named(/no frame/)),
});

const errs = `for (;;) await new Promise((done) => process.stderr.write("x".repeat(65536), done));`;
hostile("an agent that floods its error stream", {
  control,
  backend: "process",
  unguarded: async () => expect(await waited(errs)).toBeUndefined(),
  async guarded() {
    const body = (await failure(errs, { timeoutMs: 600 })) as { readonly message: string };
    expect(body.message.length).toBeLessThan(3_000);
  },
});

const throws = serving(`throw Object.assign(new Error("no such ticket"), { code: "TICKETS_GONE" });`);
hostile("an agent that throws", {
  control: "the same agent without the fault completes",
  backend: "process",
  unguarded: async () =>
    expect(await waited(serving(`return "fine";`))).toMatchObject({ type: "done", output: "fine" }),
  guarded: async () => expect(await failure(throws)).toEqual({ code: "TICKETS_GONE", message: "no such ticket" }),
});
