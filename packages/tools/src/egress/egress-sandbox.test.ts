import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { BubblewrapBackend } from "../bubblewrap/index.ts";
import type { Sandbox } from "../sandbox.ts";
import { EgressProxy, type EgressProxyDeps } from "./egress-proxy.ts";

describeWith([parts.bubblewrap, parts.python], "egress out of bubblewrap", () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(String(request.headers.host));
    response.end("reached");
  });
  const lookup = (async () => [{ address: "127.0.0.1", family: 4 }]) as unknown as NonNullable<
    EgressProxyDeps["lookup"]
  >;
  let port: number;
  let egress: EgressProxy;
  let backend: BubblewrapBackend;

  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
    egress = new EgressProxy({ lookup, allowPrivate: [{ host: "api.test", port }] });
    backend = new BubblewrapBackend({ egress });
  });
  afterAll(async () => {
    await backend.close();
    await egress.close();
    server.closeAllConnections();
    server.close();
  });

  async function within(body: (sandbox: Sandbox) => Promise<void>): Promise<void> {
    const spec = { network: { mode: "allow" as const, hosts: [{ host: "api.test", port }] } };
    await using sandbox = await backend.create({ principal: { tenant: "acme", session: "one" } }, spec);
    await body(sandbox);
  }

  async function ask(sandbox: Sandbox, url: string): Promise<string> {
    const code = `import urllib.request\nurllib.request.urlopen("${url}", timeout=10).read().decode()`;
    const { results, error } = await sandbox.run(code);
    return results[0]?.data["text/plain"] ?? error?.message ?? "";
  }

  const reached = () =>
    within(async (sandbox) => {
      seen.length = 0;
      expect(await ask(sandbox, `http://api.test:${port}/`)).toBe("'reached'");
      expect(seen).toEqual([`api.test:${port}`]);
    });

  hostile("a host that the policy does not name, from inside", {
    backend: "bubblewrap",
    control: "the host that it names is reached from inside",
    unguarded: reached,
    guarded: () =>
      within(async (sandbox) => {
        seen.length = 0;
        expect(await ask(sandbox, `http://other.test:${port}/`)).toContain("403");
        await sandbox.setNetwork({ mode: "none" });
        expect(await ask(sandbox, `http://api.test:${port}/`)).toContain("403");
        expect(seen).toEqual([]);
      }),
  });

  hostile("a way out beside the proxy: a raw address, a name server", {
    backend: "bubblewrap",
    control: "through the proxy the same server is reached",
    unguarded: reached,
    guarded: () =>
      within(async (sandbox) => {
        seen.length = 0;
        const raw = `import socket\nsocket.create_connection(("127.0.0.1", ${port}), 2)`;
        expect((await sandbox.run(raw)).status).toBe("error");
        expect((await sandbox.run('import socket\nsocket.getaddrinfo("api.test", 80)')).error?.name).toBe("gaierror");
        const datagram = 'import socket\nsocket.socket(2, 2).sendto(b"x", ("192.0.2.1", 53))';
        expect((await sandbox.run(datagram)).status).toBe("error");
        expect(seen).toEqual([]);
      }),
  });
});
