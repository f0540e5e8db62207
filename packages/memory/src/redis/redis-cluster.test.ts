import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Memory } from "../memory.ts";
import { memoryStoreConformance } from "../testing/index.ts";
import { RedisMemoryStore } from "./index.ts";

const SLOTS = 16_384;
const NODES = 3;

describeWith([parts.redis], "redis cluster", () => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-cluster-"));
  const servers: ChildProcess[] = [];
  const clients: Redis[] = [];
  let cluster: Cluster;
  let stores = 0;

  beforeAll(async () => {
    const ports = await freePorts(2 * NODES);
    for (let node = 0; node < NODES; node++) servers.push(start(folder, ports[2 * node], ports[2 * node + 1]));
    for (let node = 0; node < NODES; node++) clients.push(new Redis(ports[2 * node] ?? 0, "127.0.0.1"));
    /** Until a node listens its client tries again. */
    for (const client of clients) client.on("error", () => {});
    await Promise.all(
      clients.map(async (client, node) => {
        const slots = [Math.ceil((node * SLOTS) / NODES), Math.ceil(((node + 1) * SLOTS) / NODES) - 1];
        await client.call("CLUSTER", "ADDSLOTSRANGE", ...slots.map(String));
        await client.call("CLUSTER", "MEET", "127.0.0.1", String(ports[0]), String(ports[1]));
      }),
    );
    await Promise.all(clients.map(agreed));
    cluster = new Cluster([{ host: "127.0.0.1", port: ports[0] ?? 0 }]);
  });
  afterAll(async () => {
    cluster.disconnect();
    for (const client of clients) client.disconnect();
    for (const server of servers) {
      const exit = once(server, "exit");
      server.kill("SIGKILL");
      await exit;
    }
    rmSync(folder, { recursive: true });
  });

  memoryStoreConformance({
    test,
    createStore: () => new RedisMemoryStore({ client: cluster, prefix: `c${stores++}:` }),
  });

  test("memories lie on every node, each whole on one", async () => {
    const memory = new Memory({ store: new RedisMemoryStore({ client: cluster, prefix: "spread:" }) });
    for (let index = 0; index < 12; index++) {
      const context = { principal: { tenant: `tenant ${index}` } };
      await memory.records.create(context, "m", { text: "a heron" });
      expect(await memory.search(context, "m", { text: "heron" })).toHaveLength(1);
    }
    const held = await Promise.all(clients.map((client) => client.keys("spread:{*")));
    const tags = held.map((keys) => new Set(keys.map((key) => /\{.*\}/.exec(key)?.[0])));
    expect(tags.every(({ size }) => size > 0)).toBe(true);
    expect(tags.reduce((sum, { size }) => sum + size, 0)).toBe(12);
  });
});

function start(folder: string, port = 0, bus = 0): ChildProcess {
  const own = ["--port", `${port}`, "--cluster-port", `${bus}`, "--cluster-config-file", `nodes-${port}.conf`];
  const shared = ["--cluster-enabled", "yes", "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  return spawn("redis-server", [...own, ...shared], { stdio: "ignore" });
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

async function agreed(client: Redis): Promise<void> {
  for (;;) {
    const info = String(await client.call("CLUSTER", "INFO"));
    if (info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${NODES}`)) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
