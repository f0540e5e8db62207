import { once } from "node:events";
import {
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import type { EgressLink } from "../egress.ts";
import type { EgressDecision } from "./egress-decision.ts";
import { EgressProxy, type EgressProxyDeps } from "./egress-proxy.ts";
import { authority, echo, leafFor, placeholder, planted, SECRET, upstreamAuthority } from "./fixtures/bound-host.ts";
import { isBound } from "./substitution.ts";

const context = { principal: { tenant: "acme", session: "one" } };
const lookup = (async () => [{ address: "127.0.0.1", family: 4 }]) as unknown as NonNullable<EgressProxyDeps["lookup"]>;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function upstream(host: string, listener: RequestListener = echo, secure = true): Promise<number> {
  const server = secure ? createHttpsServer(leafFor(host), listener) : createHttpServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function proxy(port: number, bound: readonly string[] = [`api.test:${port}`], deps: EgressProxyDeps = {}) {
  const decisions: EgressDecision[] = [];
  const gateway = new EgressProxy({
    log: { record: (each) => void decisions.push(each) },
    ...{ lookup, allowPrivate: [{ host: "*.test", port }] },
    substitution: { credentials: planted(bound), authority: authority(), ca: upstreamAuthority.certificate },
    ...deps,
  });
  closers.push(() => gateway.close());
  const policy = { mode: "allow" as const, hosts: [{ host: "*.test", port }] };
  return { link: await gateway.open(context, { sandbox: "sbx_1", policy }), decisions };
}

/** A tunnel through the proxy, with TLS in it that trusts this authority only. */
async function tunnel(link: EgressLink, authority: string, ca: string, servername?: string): Promise<Socket> {
  const request = httpRequest({ socketPath: link.socketPath, method: "CONNECT", path: authority }).end();
  const [, socket] = await once(request, "connect");
  closers.push(() => socket.destroy());
  const secure = tlsConnect({ socket, servername: servername ?? authority.replace(/:.*/, ""), ca });
  secure.on("error", () => {});
  await once(secure, "secureConnect");
  return secure;
}

interface Ask {
  readonly ca?: string;
  readonly host?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly body?: string;
}

async function ask(link: EgressLink, name: string, { ca, host, path = "/", headers, method, body }: Ask = {}) {
  const socket = await tunnel(link, name, ca ?? link.certificates ?? "");
  const request = httpRequest({
    ...{ createConnection: () => socket, path, method: method ?? "GET" },
    headers: { host: host ?? name, authorization: `Bearer ${placeholder}`, ...headers },
  });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, text };
}

test("the host receives the secret, the program inside never does, and the log says so without either", async () => {
  const received: unknown[] = [];
  const port = await upstream("api.test", (request, response) => {
    received.push(request.headers.authorization);
    echo(request, response);
  });
  const { link, decisions } = await proxy(port);
  const { status, text } = await ask(link, `api.test:${port}`, { path: "/v1?a=b" });
  expect(status).toBe(200);
  expect(received).toEqual([`Bearer ${SECRET}`]);
  expect(JSON.parse(text)).toMatchObject({ url: "/v1?a=b", headers: { authorization: "Bearer [redacted]" } });
  expect(decisions.map(({ effect, reason }) => [effect, reason])).toEqual([["allow", "substituted"]]);
  expect(JSON.stringify(decisions)).not.toMatch(new RegExp(`${SECRET}|${placeholder}|v1`));
});

test("a body goes through in both directions, large and of unknown length", async () => {
  const port = await upstream("api.test", (request, response) => {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    request.pipe(response);
  });
  const { link } = await proxy(port);
  const body = "x".repeat(3 * 1024 * 1024);
  const sent = { method: "POST", body };
  expect((await ask(link, `api.test:${port}`, sent)).text).toBe(body);
  const sized = { ...sent, headers: { "content-length": String(body.length) } };
  expect((await ask(link, `api.test:${port}`, sized)).text).toBe(body);
});

test("several requests in one tunnel are each exchanged", async () => {
  const port = await upstream("api.test");
  const { link, decisions } = await proxy(port);
  const socket = await tunnel(link, `api.test:${port}`, link.certificates ?? "");
  const line = `GET / HTTP/1.1\r\nhost: api.test:${port}\r\nauthorization: ${placeholder}\r\n\r\n`;
  for (let turn = 1; turn <= 3; turn++) {
    socket.write(line);
    await once(socket, "data");
  }
  await expect.poll(() => decisions.length).toBe(3);
});

test("plain HTTP to a bound host is exchanged too", async () => {
  const port = await upstream("api.test", echo, false);
  const { link, decisions } = await proxy(port);
  const headers = { "x-key": placeholder };
  const request = httpRequest({ socketPath: link.socketPath, path: `http://api.test:${port}/`, headers }).end();
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  expect(JSON.parse(text).headers["x-key"]).toBe("[redacted]");
  expect(decisions.map(({ reason }) => reason)).toEqual(["substituted"]);
});

test("entries of bound hosts are names, names with a port, or everything below a name", () => {
  expect(isBound(["api.test"], { host: "api.test", port: 443 })).toBe(true);
  expect(isBound(["api.test"], { host: "api.test", port: 8443 })).toBe(false);
  expect(isBound(["api.test:8443"], { host: "api.test", port: 8443 })).toBe(true);
  expect(isBound(["*.test"], { host: "api.test", port: 443 })).toBe(true);
  expect(isBound(["[::1]:8443"], { host: "::1", port: 8443 })).toBe(true);
});

test("when the credentials refuse, or cannot be asked, nothing goes out", async () => {
  let received = 0;
  const port = await upstream("api.test", (_request, response) => {
    received += 1;
    response.end();
  });
  const name = `api.test:${port}`;
  const failing = { ...planted([name]), substitute: () => Promise.reject(new Error(`no ${SECRET}`)) };
  const unreachable = { ...failing, hosts: () => Promise.reject(new Error("store is down")) };
  for (const credentials of [failing, unreachable]) {
    const substitution = { credentials, authority: authority(), ca: upstreamAuthority.certificate };
    const { link, decisions } = await proxy(port, [], { substitution });
    const { status, text } = await ask(link, name);
    expect([status, text.includes(SECRET)]).toEqual([403, false]);
    expect(decisions.map(({ effect, reason }) => [effect, reason])).toEqual([["deny", "credentials"]]);
  }
  expect(received).toBe(0);
});

describe("hostile", () => {
  const exchanged = async (listener?: RequestListener, headers?: Record<string, string>) => {
    const port = await upstream("api.test", listener);
    return ask((await proxy(port)).link, `api.test:${port}`, headers === undefined ? {} : { headers });
  };
  const straight = async (listener: RequestListener) => {
    const port = await upstream("api.test", listener);
    const { link } = await proxy(port, []);
    const ca = upstreamAuthority.certificate;
    return ask(link, `api.test:${port}`, { ca, headers: { authorization: `Bearer ${SECRET}` } });
  };

  hostile("a placeholder to a host without a credential", {
    control: "to the bound host it becomes the secret",
    async unguarded() {
      const seen: unknown[] = [];
      await exchanged((request, response) => {
        seen.push(request.headers.authorization);
        response.end();
      });
      expect(seen).toEqual([`Bearer ${SECRET}`]);
    },
    async guarded() {
      const port = await upstream("other.test");
      const { link, decisions } = await proxy(port);
      const ca = upstreamAuthority.certificate;
      const { text } = await ask(link, `other.test:${port}`, { ca });
      expect(JSON.parse(text).headers.authorization).toBe(`Bearer ${placeholder}`);
      expect(decisions.map(({ reason }) => reason)).toEqual(["policy"]);
    },
  });

  const packed: RequestListener = ({ headers }, response) => {
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(String(headers.authorization)));
  };
  const split: RequestListener = ({ headers }, response) => {
    const text = String(headers.authorization);
    const next = (at: number) => {
      if (at >= text.length) return void response.end();
      response.write(text.slice(at, at + 3));
      setImmediate(next, at + 3);
    };
    next(0);
  };
  const parts: RequestListener = ({ headers }, response) => {
    const text = String(headers.authorization);
    if (headers.range === undefined) response.end(text);
    else response.writeHead(206).end(text.slice(0, 14));
  };
  const inHeaders: RequestListener = ({ headers }, response) => {
    const text = String(headers.authorization);
    response.writeHead(401, text, { "x-echo": text, "set-cookie": [`a=${text}`, "b=1"], location: `/?${text}` }).end();
  };
  for (const [name, listener] of [
    ["compressed", packed],
    ["split over chunks", split],
    ["in the answer's headers and reason", inHeaders],
  ] as const) {
    hostile(`a bound host that gives the secret back, ${name}`, {
      control: "in a tunnel that is not ended here the answer carries it",
      async unguarded() {
        const { text, headers } = await straight(listener);
        expect(`${text} ${JSON.stringify(headers)}`).toContain(
          listener === packed ? '"content-encoding":"gzip"' : SECRET,
        );
      },
      async guarded() {
        const { text, headers } = await exchanged(listener);
        const all = `${text} ${JSON.stringify(headers)}`;
        expect(all).toContain("[redacted]");
        expect(all).not.toContain(SECRET);
      },
    });
  }

  hostile("a secret asked for in parts", {
    control: "a server that grants ranges gives a part, which no redactor knows",
    async unguarded() {
      const port = await upstream("api.test", parts);
      const { link } = await proxy(port, []);
      const headers = { authorization: `Bearer ${SECRET}`, range: "bytes=0-13" };
      const { status, text } = await ask(link, `api.test:${port}`, { ca: upstreamAuthority.certificate, headers });
      expect([status, SECRET.startsWith(text.slice(7))]).toEqual([206, true]);
    },
    async guarded() {
      const { status, text } = await exchanged(parts, { range: "bytes=0-13" });
      expect([status, text]).toEqual([200, "Bearer [redacted]"]);
    },
  });

  hostile("an answer in an encoding that cannot be read", {
    control: "in a tunnel that is not ended here it arrives",
    async unguarded() {
      const answer = await straight((_request, response) => {
        response.writeHead(200, { "content-encoding": "rot13" }).end("frperg");
      });
      expect(answer.text).toBe("frperg");
    },
    async guarded() {
      const answer = await exchanged((_request, response) => {
        response.writeHead(200, { "content-encoding": "rot13" }).end("frperg");
      });
      expect([answer.status, answer.text.includes("frperg")]).toEqual([502, false]);
    },
  });

  hostile("another host in a request than in its tunnel, under ended TLS", {
    control: "the host of the tunnel is served",
    async unguarded() {
      expect((await exchanged()).status).toBe(200);
    },
    async guarded() {
      const port = await upstream("api.test");
      const { link, decisions } = await proxy(port);
      const name = `api.test:${port}`;
      for (const host of ["victim.test", "api.test", `api.test:${port + 1}`, `x@api.test:${port}`, `${name}/..`]) {
        expect((await ask(link, name, { host })).status).toBe(421);
      }
      expect((await ask(link, name, { path: `http://victim.test:${port}/` })).status).toBe(421);
      expect(decisions).toEqual([]);
      await expect(tunnel(link, name, link.certificates ?? "", "victim.test")).rejects.toThrow();
      expect(decisions.map(({ reason }) => reason)).toEqual(["server_name"]);
    },
  });

  hostile("a server that is not the bound host", {
    control: "a server that proves the name is given the secret",
    async unguarded() {
      expect((await exchanged()).status).toBe(200);
    },
    async guarded() {
      let received = 0;
      const port = await upstream("impostor.test", () => (received += 1));
      const untrusted = { credentials: planted([`api.test:${port}`]), authority: authority() };
      for (const deps of [{}, { substitution: untrusted }]) {
        const { link, decisions } = await proxy(port, [`api.test:${port}`], deps);
        expect((await ask(link, `api.test:${port}`)).status).toBe(502);
        expect(decisions.map(({ reason }) => reason)).toEqual(["certificate"]);
      }
      expect(received).toBe(0);
    },
  });

  hostile("a bound host that redirects, or resolves, to a private address", {
    control: "the operator's own word lets the name through, and the redirect reaches the program unfollowed",
    async unguarded() {
      const answer = await exchanged((_request, response) => {
        response.writeHead(302, { location: "http://169.254.169.254/" }).end();
      });
      expect([answer.status, answer.headers.location]).toEqual([302, "http://169.254.169.254/"]);
    },
    async guarded() {
      const port = await upstream("api.test");
      const { link, decisions } = await proxy(port, [`api.test:${port}`], { allowPrivate: [] });
      expect((await ask(link, `api.test:${port}`)).status).toBe(403);
      const request = httpRequest({ socketPath: link.socketPath, path: "http://169.254.169.254/" }).end();
      const [response] = await once(request, "response");
      response.resume();
      expect(response.statusCode).toBe(403);
      expect(decisions.map(({ reason }) => reason)).toEqual(["address", "policy"]);
    },
  });

  hostile("connections that are slow to say what they want", {
    control: "a connection that says it is served",
    async unguarded() {
      expect((await exchanged()).status).toBe(200);
    },
    async guarded() {
      const port = await upstream("api.test");
      const { link } = await proxy(port, undefined, { headersMs: 100 });
      const name = `api.test:${port}`;
      const half = connect(link.socketPath).on("error", () => {});
      half.resume();
      half.write("CONNECT");
      const silent = httpRequest({ socketPath: link.socketPath, method: "CONNECT", path: name }).end();
      const [, tunnelled] = await once(silent, "connect");
      tunnelled.on("error", () => {}).resume();
      const greeted = await tunnel(link, name, link.certificates ?? "");
      greeted.resume();
      greeted.write("GET / HTTP/1.1\r\nhost:");
      await Promise.all([half, tunnelled, greeted].map((socket) => socket.closed || once(socket, "close")));
    },
  });
});
