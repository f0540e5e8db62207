import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { BubblewrapBackend } from "../bubblewrap/index.ts";
import type { Sandbox } from "../sandbox.ts";
import { EgressProxy, type EgressProxyDeps } from "./egress-proxy.ts";
import { authority, echo, leafFor, placeholder, planted, SECRET, upstreamAuthority } from "./fixtures/bound-host.ts";

describeWith([parts.bubblewrap, parts.python, parts.curl], "substitution out of bubblewrap", () => {
  const received: unknown[] = [];
  const server = createServer(leafFor("api.test"), (request, response) => {
    received.push(request.headers.authorization);
    echo(request, response);
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
    const substitution = {
      ...{ credentials: planted([`api.test:${port}`]), authority: authority() },
      ca: upstreamAuthority.certificate,
    };
    egress = new EgressProxy({ lookup, allowPrivate: [{ host: "*.test", port }], substitution });
    backend = new BubblewrapBackend({ egress });
  });
  afterAll(async () => {
    await backend.close();
    await egress.close();
    server.closeAllConnections();
    server.close();
  });

  async function within<T>(body: (sandbox: Sandbox) => Promise<T>): Promise<T> {
    const spec = {
      network: { mode: "allow" as const, hosts: [{ host: "api.test", port }] },
      environment: { API_KEY: placeholder },
    };
    await using sandbox = await backend.create({ principal: { tenant: "acme", session: "one" } }, spec);
    received.length = 0;
    return await body(sandbox);
  }

  const url = () => `https://api.test:${port}/`;
  const programs: Readonly<Record<string, () => readonly string[]>> = {
    curl: () => ["/bin/sh", "-c", `curl -sS --max-time 20 -H "authorization: Bearer $API_KEY" ${url()}`],
    Python: () => [
      "python3",
      "-c",
      `import os, urllib.request as u
print(u.urlopen(u.Request("${url()}", headers={"authorization": "Bearer " + os.environ["API_KEY"]}), timeout=20).read().decode())`,
    ],
    Node: () => [
      "node",
      "-e",
      `fetch("${url()}", { headers: { authorization: "Bearer " + process.env.API_KEY } }).then((r) => r.text()).then(console.log)`,
    ],
  };

  describe("a program inside calls with its placeholder, and never sees the secret", () => {
    for (const [name, command] of Object.entries(programs)) {
      test(name, () =>
        within(async (sandbox) => {
          const { stdout, stderr } = await sandbox.exec(command());
          expect(stderr).toBe("");
          expect(JSON.parse(stdout).headers.authorization).toBe("Bearer [redacted]");
          expect(received).toEqual([`Bearer ${SECRET}`]);
        }),
      );
    }
  });

  hostile("a program that reads all it can find for the secret or the authority's key", {
    backend: "bubblewrap",
    control: "the same search finds the placeholder and the certificate",
    unguarded: () => within((sandbox) => search(sandbox, placeholder, true)),
    guarded: () =>
      within(async (sandbox) => {
        await sandbox.exec(programs.curl?.() ?? []);
        await search(sandbox, SECRET, false);
        await search(sandbox, "PRIVATE KEY", false);
      }),
  });

  async function search(sandbox: Sandbox, text: string, found: boolean): Promise<void> {
    const pattern = `[${text[0]}]${text.slice(1)}`;
    const places = "/proc/[0-9]*/environ /proc/[0-9]*/cmdline /run /etc/ssl /workspace /tmp";
    const { stdout } = await sandbox.exec(["/bin/sh", "-c", `grep -ral "${pattern}" ${places} 2>/dev/null; true`]);
    expect(stdout !== "").toBe(found);
  }
});
