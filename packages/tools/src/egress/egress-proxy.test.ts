import { once } from "node:events";
import { createServer as createHttpServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import type { CallContext } from "../dialect.ts";
import type { EgressLink } from "../egress.ts";
import type { NetworkPolicy } from "../network-policy.ts";
import { readClientHello } from "./client-hello.ts";
import type { EgressDecision } from "./egress-decision.ts";
import { EgressProxy, type EgressProxyDeps } from "./egress-proxy.ts";
import { allows, canonicalHost } from "./host-name.ts";

const context: CallContext = { principal: { tenant: "acme", session: "one" } };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function proxy(policy: NetworkPolicy, deps: EgressProxyDeps = {}) {
  const decisions: EgressDecision[] = [];
  const gateway = new EgressProxy({ log: { record: (each) => void decisions.push(each) }, ...deps });
  closers.push(() => gateway.close());
  return { link: await gateway.open(context, { sandbox: "sbx_1", policy }), decisions };
}

/** A server on the host's loopback that counts who came. */
async function listener(): Promise<{ readonly port: number; readonly seen: string[] }> {
  const seen: string[] = [];
  const server = createHttpServer((request, response) => {
    seen.push(`${request.headers.host} ${request.url}`);
    response.end("reached");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

async function get(link: EgressLink, url: string, headers: Record<string, string> = {}): Promise<number> {
  const request = httpRequest({ socketPath: link.socketPath, path: url, headers });
  request.end();
  const [response] = await once(request, "response");
  response.resume();
  return response.statusCode;
}

/** Sends CONNECT and gives the status and the socket. */
async function tunnel(
  link: EgressLink,
  authority: string,
): Promise<{ readonly status: number; readonly socket: Socket }> {
  const request = httpRequest({ socketPath: link.socketPath, method: "CONNECT", path: authority });
  request.end();
  const [response, socket, head] = await once(request, "connect");
  socket.on("error", () => {});
  if (head.length > 0) socket.unshift(head);
  closers.push(() => socket.destroy());
  return { status: response.statusCode, socket };
}

const loopback = async () => [{ address: "127.0.0.1", family: 4 }];
const lookup = loopback as unknown as NonNullable<EgressProxyDeps["lookup"]>;

/** The smallest ClientHello that names a server. */
function hello(name: string): Buffer {
  const host = Buffer.from(name);
  const extension = Buffer.concat([
    Buffer.from([0, 0, 0, host.length + 5, 0, host.length + 3, 0, 0, host.length]),
    host,
  ]);
  const extensions = Buffer.concat([Buffer.from([0, extension.length]), extension]);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 1, 1, 0]),
    extensions,
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0, 0, body.length]), body]);
  return Buffer.concat([Buffer.from([22, 3, 1, 0, handshake.length]), handshake]);
}

describe("policy", () => {
  test("an allowed host and port is reached, and each decision is in the log", async () => {
    const { port, seen } = await listener();
    const hosts = [{ host: "api.test", port }];
    const { link, decisions } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts });
    expect(await get(link, `http://api.test:${port}/x?y`)).toBe(200);
    expect(await get(link, `http://other.test:${port}/`)).toBe(403);
    expect(seen).toEqual([`api.test:${port} /x?y`]);
    expect(decisions.map(({ host, effect, reason }) => [host, effect, reason])).toEqual([
      ["api.test", "allow", "policy"],
      ["other.test", "deny", "policy"],
    ]);
  });

  test("a protocol in which the server speaks first goes through a tunnel both ways", async () => {
    const greeter = createServer((socket) => {
      socket.on("error", () => {});
      socket.write("220 hi");
      socket.on("data", (chunk) => socket.end(`heard ${chunk}`));
    });
    greeter.listen(0, "127.0.0.1");
    await once(greeter, "listening");
    closers.push(() => greeter.close());
    const { port } = greeter.address() as AddressInfo;
    const hosts = [{ host: "mail.test", port }];
    const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts });
    const { socket } = await tunnel(link, `mail.test:${port}`);
    expect(String((await once(socket, "data"))[0])).toBe("220 hi");
    socket.write("HELO");
    expect(String((await once(socket, "data"))[0])).toBe("heard HELO");
  });

  test("a large answer arrives whole, also when its server closes first and its reader is slow", async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, "x");
    const server = createHttpServer((_request, response) => response.setHeader("connection", "close").end(body));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const hosts = [{ host: "big.test", port }];
    const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts });
    const slowly = async (stream: AsyncIterable<Buffer>): Promise<number> => {
      let bytes = 0;
      for await (const chunk of stream) {
        bytes += chunk.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return bytes;
    };
    const request = httpRequest({ socketPath: link.socketPath, path: `http://big.test:${port}/` }).end();
    const [response] = await once(request, "response");
    expect(await slowly(response)).toBe(body.length);
    const { socket } = await tunnel(link, `big.test:${port}`);
    socket.write("GET / HTTP/1.1\r\nhost: big.test\r\n\r\n");
    expect(await slowly(socket)).toBeGreaterThan(body.length);
  });

  test("a tunnel is cut when a tighter policy comes, and on close", async () => {
    const { port } = await listener();
    const hosts = [{ host: "api.test", port }];
    const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts });
    const { status, socket } = await tunnel(link, `api.test:${port}`);
    expect(status).toBe(200);
    const closed = once(socket, "close");
    await link.setPolicy({ mode: "none" });
    await closed;
    expect((await tunnel(link, `api.test:${port}`)).status).toBe(403);
    await link.close();
    await link.close();
  });

  test("the policy of package registries is refused where the operator named none", async () => {
    await expect(proxy({ mode: "packages" })).rejects.toMatchObject({ code: "TOOLS_NETWORK_REFUSED" });
  });

  test("ports default to 443 and 80; a star means below and not the name itself", () => {
    expect(allows({ host: "a.test" }, "a.test", 443)).toBe(true);
    expect(allows({ host: "a.test" }, "a.test", 22)).toBe(false);
    expect(allows({ host: "*.a.test" }, "x.a.test", 80)).toBe(true);
    expect(allows({ host: "*.a.test" }, "a.test", 80)).toBe(false);
  });
});

describe("hostile", () => {
  const reached = async (port: number) => expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);

  hostile("the host's loopback by address, in every spelling", {
    control: "the host itself reaches the listener",
    async unguarded() {
      await reached((await listener()).port);
    },
    async guarded() {
      const { port, seen } = await listener();
      const { link } = await proxy({ mode: "open" });
      for (const host of [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
      ]) {
        expect(await get(link, `http://${host}:${port}/`)).toBe(403);
        expect((await tunnel(link, `${host}:${port}`)).status).toBe(403);
      }
      expect(seen).toEqual([]);
    },
  });

  hostile("the metadata address, in every spelling", {
    control: "the parser of URLs takes each spelling for 169.254.169.254",
    unguarded() {
      for (const host of ["0xa9fea9fe", "2852039166", "169.254.43518"]) {
        expect(new URL(`http://${host}/`).hostname).toBe("169.254.169.254");
      }
    },
    async guarded() {
      const { link } = await proxy({ mode: "open" });
      for (const host of [
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "169.254.43518",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
      ]) {
        expect((await tunnel(link, `${host}:80`)).status).toBe(403);
      }
    },
  });

  hostile("a name that resolves to a private address, or rebinds to one", {
    control: "the operator's own word lets the same name through",
    async unguarded() {
      const { port } = await listener();
      const { link } = await proxy({ mode: "open" }, { lookup, allowPrivate: [{ host: "evil.test", port }] });
      expect(await get(link, `http://evil.test:${port}/`)).toBe(200);
    },
    async guarded() {
      const { port, seen } = await listener();
      let asked = 0;
      const rebinding = async () => {
        asked += 1;
        return [
          { address: "93.184.216.34", family: 4 },
          { address: "127.0.0.1", family: 4 },
        ];
      };
      for (const resolver of [lookup, rebinding as unknown as typeof lookup]) {
        const { link } = await proxy({ mode: "open" }, { lookup: resolver });
        expect(await get(link, `http://evil.test:${port}/`)).toBe(403);
      }
      expect(asked).toBe(1);
      expect(seen).toEqual([]);
    },
  });

  hostile("names that only look like the allowed one", {
    control: "the allowed name itself is reached, also in capitals and with a final dot",
    async unguarded() {
      const { port } = await listener();
      const hosts = [{ host: "good.test", port }];
      const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts });
      for (const host of ["good.test", "GOOD.test", "good.test."]) {
        expect((await tunnel(link, `${host}:${port}`)).status).toBe(200);
      }
    },
    async guarded() {
      const { port, seen } = await listener();
      const hosts = [{ host: "good.test", port }];
      const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: [{ host: "*.test", port }] });
      for (const host of [
        "good.test.evil.test",
        "evilgood.test",
        "x.good.test",
        "goоd.test",
        "good.test..",
        "good.test%00.evil.test",
      ]) {
        const answer = await tunnel(link, `${encodeURI(host).replaceAll("%25", "%")}:${port}`);
        expect(answer.status).toBe(403);
      }
      expect(seen).toEqual([]);
    },
  });

  hostile("another host in the Host header", {
    control: "a bare request carries the header as it is",
    async unguarded() {
      const { port, seen } = await listener();
      const request = httpRequest({ port, host: "127.0.0.1", headers: { host: "victim.test" } });
      request.end();
      await once(request, "response");
      expect(seen).toEqual(["victim.test /"]);
    },
    async guarded() {
      const { port, seen } = await listener();
      const hosts = [{ host: "good.test", port }];
      const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts });
      expect(await get(link, `http://good.test:${port}/`, { host: "victim.test" })).toBe(200);
      expect(seen).toEqual([`good.test:${port} /`]);
    },
  });

  hostile("a TLS server name that is not the host of the tunnel", {
    control: "the name that fits goes through to the server",
    unguarded: () => sniff("good.test", true),
    guarded: () => sniff("victim.test", false),
  });

  async function sniff(name: string, passes: boolean): Promise<void> {
    let received = 0;
    const raw = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        received += chunk.length;
        socket.end("over");
      });
    });
    raw.listen(0, "127.0.0.1");
    await once(raw, "listening");
    closers.push(() => raw.close());
    const { port } = raw.address() as AddressInfo;
    const hosts = [{ host: "good.test", port }];
    const { link, decisions } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts });
    const client = connect(link.socketPath);
    client.on("error", () => {});
    client.resume();
    const closed = once(client, "close");
    client.write(
      Buffer.concat([Buffer.from(`CONNECT good.test:${port} HTTP/1.1\r\nhost: good.test\r\n\r\n`), hello(name)]),
    );
    await closed;
    expect(received > 0).toBe(passes);
    expect(decisions.some(({ reason }) => reason === "server_name")).toBe(!passes);
  }

  hostile("more connections than one sandbox may hold", {
    control: "up to the limit they stand",
    async unguarded() {
      const { port } = await listener();
      const hosts = [{ host: "api.test", port }];
      const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts, maxConnections: 2 });
      expect((await tunnel(link, `api.test:${port}`)).status).toBe(200);
      expect((await tunnel(link, `api.test:${port}`)).status).toBe(200);
    },
    async guarded() {
      const { port } = await listener();
      const hosts = [{ host: "api.test", port }];
      const { link } = await proxy({ mode: "allow", hosts }, { lookup, allowPrivate: hosts, maxConnections: 2 });
      await tunnel(link, `api.test:${port}`);
      await tunnel(link, `api.test:${port}`);
      await expect(tunnel(link, `api.test:${port}`)).rejects.toThrow();
    },
  });
});

describe("parsing", () => {
  test("any bytes are read as something, never as an exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        readClientHello(Buffer.from(bytes));
        readClientHello(Buffer.concat([Buffer.from([22, 3, 1, 0, bytes.length & 0xff]), bytes]));
      }),
    );
    expect(readClientHello(hello("a.test"))).toEqual({ kind: "hello", serverName: "a.test" });
  });

  test("a canonical host is its own canonical form", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const host = canonicalHost(text);
        if (host !== undefined) expect(canonicalHost(host)).toBe(host);
      }),
    );
  });
});
