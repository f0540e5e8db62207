import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { context } from "./fixtures/stage.ts";
import { InMemoryLiveBus, InMemorySessionLog, InMemoryWorkQueue, Runtime, type StreamedEvent } from "./index.ts";

const PIECES = 20_000;
const piece = "x".repeat(2_000);

type Serve = (lines: AsyncIterable<string>, response: ServerResponse) => Promise<void>;

async function* lines(events: AsyncIterable<StreamedEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `data: ${JSON.stringify(event)}\n\n`;
}

/** Streams a session to a client that takes one byte and to one that takes all; 40 MB go by. Bytes then held for the slow one. */
async function heldFor(serve: Serve): Promise<number> {
  const live = new InMemoryLiveBus();
  const stores = { log: new InMemorySessionLog(), queue: new InMemoryWorkQueue(), live };
  const runtime = new Runtime({ ...stores, agents: [{ name: "talks", run: async () => {} }] });
  const { id } = await runtime.sessions.open(context, { agent: "talks" });
  let held = () => 0;
  const server = createServer((request, response) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    if (request.url === "/slow") held = () => response.writableLength;
    const events = runtime.sessions.events({ ...context, signal: gone.signal }, id, { deltas: true });
    serve(lines(events), response).catch(() => {});
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const slow = connect(port, "127.0.0.1");
  slow.write("GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await once(slow, "readable");
  expect(slow.read(1)).toHaveLength(1);
  const quick = (async () => {
    const { body } = await fetch(`http://127.0.0.1:${port}/quick`);
    let tail = "";
    for await (const text of (body ?? expect.fail()).pipeThrough(new TextDecoderStream())) {
      tail = (tail + text).slice(-piece.length);
      if (tail.includes('"the last word"')) return;
    }
  })();
  for (let index = 0; index < PIECES; index++) {
    await live.publish(context, id, { type: "delta", turn: 1, step: "s", body: piece });
    if (index % 100 === 0) await new Promise(setImmediate);
  }
  await runtime.sessions.send(context, id, { type: "user.message", body: "the last word" });
  await quick;
  const bytes = held();
  slow.destroy();
  server.closeAllConnections();
  server.close();
  return bytes;
}

hostile("a client that reads one byte a minute", {
  backend: "http",
  control: "a server that writes on without waiting keeps megabytes for it, while the quick client has all",
  async unguarded() {
    const careless: Serve = async (text, response) => {
      for await (const line of text) response.write(line);
    };
    expect(await heldFor(careless)).toBeGreaterThan(4 * 2 ** 20);
  },
  async guarded() {
    expect(await heldFor((text, response) => pipeline(Readable.from(text), response))).toBeLessThan(2 ** 18);
  },
});
