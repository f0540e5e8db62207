import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster, Redis } from "ioredis";

const SLOTS = 16_384;
const NODES = 3;

export interface PrivateCluster {
  readonly cluster: Cluster;
  /** One client per node, for looking at what lies where. */
  readonly nodes: readonly Redis[];
  stop(): Promise<void>;
}

/** A Redis Cluster of three primaries on loopback ports; keeps nothing on disk. */
export async function startRedisCluster(): Promise<PrivateCluster> {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-cluster-"));
  const ports = await freePorts(2 * NODES);
  const indexes = Array.from({ length: NODES }, (_, node) => node);
  const servers = indexes.map((node) => start(folder, ports[2 * node], ports[2 * node + 1]));
  const nodes = indexes.map((node) => new Redis(ports[2 * node] ?? 0, "127.0.0.1"));
  // Until a node listens its client tries again.
  for (const client of nodes) client.on("error", () => {});
  await Promise.all(
    nodes.map(async (client, node) => {
      const slots = [Math.ceil((node * SLOTS) / NODES), Math.ceil(((node + 1) * SLOTS) / NODES) - 1];
      await client.call("CLUSTER", "ADDSLOTSRANGE", ...slots.map(String));
      await client.call("CLUSTER", "MEET", "127.0.0.1", String(ports[0]), String(ports[1]));
    }),
  );
  await Promise.all(nodes.map(agreed));
  const cluster = new Cluster([{ host: "127.0.0.1", port: ports[0] ?? 0 }]);
  return {
    cluster,
    nodes,
    async stop() {
      cluster.disconnect();
      for (const client of nodes) client.disconnect();
      for (const server of servers) {
        const exit = once(server, "exit");
        server.kill("SIGKILL");
        await exit;
      }
      rmSync(folder, { recursive: true });
    },
  };
}

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
