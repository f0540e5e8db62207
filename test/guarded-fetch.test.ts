import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect } from "vitest";
// The copies are byte-equal (carried.test.ts), so one stands for all.
import { GuardedFetchError, guardedFetch, isPublic } from "../packages/gateway/src/internal/guarded-fetch.ts";
import { hostile } from "./support/hostile.ts";

let server: Server;
let origin: string;
let host: string;
const seen: string[] = [];

const answer: RequestListener = (request, response) => {
  seen.push(request.url ?? "");
  if (request.url === "/redirect") response.writeHead(302, { location: `${origin}/secret` }).end();
  else if (request.url === "/bomb")
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(5e6)));
  else if (request.url === "/large") response.end(Buffer.alloc(2e6));
  else if (request.url === "/silent") response.writeHead(200).write("x");
  else response.end("the host's own secret");
};

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  host = `127.0.0.1:${port}`;
  origin = `http://${host}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const toLoopback = ((_host: string, options: { all?: boolean }, done: (...result: unknown[]) => void) => {
  if (options.all) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
}) as never;

const plain = async (url: string) => expect(await (await fetch(url)).text()).toBe("the host's own secret");
const denied = (call: Promise<unknown>) =>
  expect(call).rejects.toMatchObject({ code: "FETCH_ADDRESS_DENIED", kind: "denied" });
const port = () => host.split(":")[1];

for (const spelling of [
  "127.0.0.1",
  "localhost",
  "2130706433",
  "0x7f.1",
  "0177.0.0.1",
  "127.1",
  "[::ffff:127.0.0.1]",
]) {
  hostile(`loopback spelled ${spelling}`, {
    control: "the platform's fetch reads the loopback server",
    unguarded: () => plain(`http://${spelling}:${port()}/`),
    guarded: async () => {
      const before = seen.length;
      await denied(guardedFetch()(`http://${spelling}:${port()}/`));
      expect(seen.length).toBe(before);
    },
  });
}

hostile("a public name that resolves to a private address", {
  control: "the look-up alone gives 127.0.0.1 and the connection is made",
  async unguarded() {
    const fetched = await guardedFetch({ allow: ["rebind.example"], lookup: toLoopback })(
      `http://rebind.example:${port()}/`,
    );
    expect(await fetched.text()).toBe("the host's own secret");
  },
  guarded: () => denied(guardedFetch({ lookup: toLoopback })(`http://rebind.example:${port()}/`)),
});

hostile("a name that answers publicly once and privately the second time", {
  control: "the second answer alone is private and would be dialled",
  unguarded: () => expect(isPublic("127.0.0.1")).toBe(false),
  async guarded() {
    let asked = 0;
    const rebinding = ((_host: string, _options: object, done: (error: null, found: object[]) => void) => {
      asked += 1;
      done(null, [{ address: asked === 1 ? "203.0.113.7" : "127.0.0.1", family: 4 }]);
    }) as never;
    const before = seen.length;
    const call = guardedFetch({ lookup: rebinding, timeoutMs: 200 })(`http://rebind.example:${port()}/`);
    await expect(call).rejects.toBeInstanceOf(GuardedFetchError);
    expect(asked).toBe(1);
    expect(seen.length).toBe(before);
  },
});

hostile("a redirect to a private address", {
  control: "the platform's fetch follows it",
  unguarded: () => plain(`${origin}/redirect`),
  async guarded() {
    const response = await guardedFetch({ allow: [host] })(`${origin}/redirect`);
    expect(response.status).toBe(302);
    expect(await response.text()).toBe("");
  },
});

for (const path of ["/bomb", "/large"]) {
  hostile(`an answer over the cap (${path.slice(1)})`, {
    control: "the platform's fetch reads it all",
    async unguarded() {
      expect((await (await fetch(origin + path)).arrayBuffer()).byteLength).toBeGreaterThan(1e6);
    },
    async guarded() {
      const read = guardedFetch({ allow: [host], maxBytes: 1e6 })(origin + path).then((response) =>
        response.arrayBuffer(),
      );
      await expect(read).rejects.toMatchObject({ code: "FETCH_TOO_LARGE" });
    },
  });
}

hostile("an answer that never ends", {
  control: "the answer's first byte arrives and the stream stays open",
  async unguarded() {
    const response = await fetch(`${origin}/silent`);
    const reader = response.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await reader?.cancel();
  },
  async guarded() {
    const read = guardedFetch({ allow: [host], timeoutMs: 50 })(`${origin}/silent`).then((response) => response.text());
    await expect(read).rejects.toThrow();
  },
});

hostile("an address that carries a secret in its path fails", {
  control: "the URL itself holds the secret",
  unguarded: () => expect(new URL("http://127.0.0.1:1/k-5e1f").href).toContain("k-5e1f"),
  async guarded() {
    const failure = await guardedFetch({ allow: ["127.0.0.1"] })("http://127.0.0.1:1/k-5e1f?key=k-5e1f").catch(
      (error) => error,
    );
    expect(failure).toMatchObject({ code: "FETCH_UNREACHABLE", retryable: true });
    expect(`${failure.message} ${failure.stack}`).not.toContain("k-5e1f");
  },
});
