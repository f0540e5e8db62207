import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { nodeListener } from "./listener.ts";
import { nodeRequest } from "./node-request.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(handle: (request: Request) => Promise<Response>): Promise<string> {
  const server = createServer(nodeListener({ fetch: handle })).listen(0, "127.0.0.1");
  closing.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function said(url: string, lines: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.end(lines);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

test("what a handler sees is a Request like any other, once over", async () => {
  const url = await listen(async (request) => {
    expect(request).toBeInstanceOf(Request);
    expect(request.headers).toBeInstanceOf(Headers);
    expect([request.method, new URL(request.url).pathname, new URL(request.url).search]).toEqual([
      "POST",
      "/a/b",
      "?c=d",
    ]);
    expect([request.headers.get("X-Two"), request.headers.get("none"), request.headers.has("x-two")]).toEqual([
      "1, 2",
      null,
      true,
    ]);
    expect([...request.headers.keys()]).toContain("x-two");
    expect(request.bodyUsed).toBe(false);
    const text = await request.text();
    expect(request.bodyUsed).toBe(true);
    await expect(request.json()).rejects.toThrow(TypeError);
    return new Response(text, { status: 201, headers: { "x-said": "yes" } });
  });
  const headers = new Headers([
    ["x-two", "1"],
    ["x-two", "2"],
  ]);
  const response = await fetch(`${url}/a/b?c=d`, { method: "POST", headers, body: "hello" });
  expect([response.status, response.headers.get("x-said"), await response.text()]).toEqual([201, "yes", "hello"]);
});

test.each<[string, (request: Request) => Promise<string>]>([
  ["body", async (request) => new Response(request.body).text()],
  ["clone", async (request) => request.clone().text()],
  ["blob", async (request) => (await request.blob()).text()],
  ["bytes", async (request) => Buffer.from(await request.bytes()).toString()],
  ["arrayBuffer", async (request) => Buffer.from(await request.arrayBuffer()).toString()],
  ["json", async (request) => JSON.stringify(await request.json())],
])("the body is there by %s", async (_, read) => {
  const url = await listen(async (request) => new Response(await read(request)));
  expect(await (await fetch(url, { method: "POST", body: '"hello"' })).text()).toBe('"hello"');
});

test("addresses come normalised; a Host that is none, and an address that is none, are 400", async () => {
  const url = await listen(async (request) => new Response(request.url));
  const ask = (target: string, host = "gate.example") =>
    said(url, `GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  expect(await ask("/a/../b")).toContain("http://gate.example/b");
  expect(await ask("/a/%2e%2e/b")).toContain("http://gate.example/b");
  expect(await ask("http://other.example/x")).toContain("http://other.example/x");
  expect(await ask("/x", "gate.example@evil.example")).toMatch(/^HTTP\/1.1 400 /);
  expect(await ask("/x", "a/b")).toMatch(/^HTTP\/1.1 400 /);
});

test("a stream is written as it comes, and its reader's going ends it", async () => {
  let cancelled = () => {};
  const ended = new Promise<void>((resolve) => {
    cancelled = resolve;
  });
  let aborted = false;
  const url = await listen(async (request) => {
    request.signal.addEventListener("abort", () => {
      aborted = true;
    });
    return new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("first")),
        cancel: () => cancelled(),
      }),
    );
  });
  const reader = (await fetch(url)).body?.getReader();
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("first");
  await reader?.cancel();
  await ended;
  expect(aborted).toBe(true);
});

test("an answer before the body was read reaches its sender, and the connection is not used again", async () => {
  const url = await listen(async () => new Response("no", { status: 413 }));
  const text = await said(url, `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n${"x".repeat(100_000)}`);
  expect(text).toMatch(/^HTTP\/1.1 413 /);
  expect(text.toLowerCase()).toContain("connection: close");
});

test("a header is looked up where Node has it, also one that is not there: no Headers are made for it", () => {
  const incoming = {
    headers: { accept: "a" },
    get rawHeaders(): never {
      throw new Error("Headers were made.");
    },
  };
  const { headers } = nodeRequest(incoming as unknown as IncomingMessage);
  expect([headers.get("Accept"), headers.get("origin"), headers.has("origin")]).toEqual(["a", null, false]);
  expect(() => [...headers]).toThrow("Headers were made.");
});
