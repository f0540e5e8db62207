import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { sleep } from "../crash/stage.ts";
import type { Network } from "./network.ts";

const PORT = 6379;

interface Node {
  readonly host: string;
  readonly server: ChildProcess;
  /** Over a unix socket: no cut of the network holds the campaign itself up. */
  readonly client: Redis;
}

/** A primary and its replica, on a host each. */
export class Pair {
  readonly #network: Network;
  #primary: Node;
  #replica: Node;

  private constructor(network: Network, primary: Node, replica: Node) {
    this.#network = network;
    this.#primary = primary;
    this.#replica = replica;
  }

  static async start(network: Network, folder: string, hosts: readonly [string, string]): Promise<Pair> {
    const [primary, replica] = await Promise.all(hosts.map((host) => startNode(network, folder, host)));
    if (primary === undefined || replica === undefined) throw new Error("Two hosts are needed.");
    const pair = new Pair(network, primary, replica);
    network.serve(primary.host);
    await pair.#follow();
    return pair;
  }

  get primary(): string {
    return this.#primary.host;
  }

  get replica(): string {
    return this.#replica.host;
  }

  /** The replica becomes the primary, while the old one goes on believing that it is. */
  async promote(): Promise<void> {
    await this.#replica.client.replicaof("NO", "ONE");
    this.#network.serve(this.#replica.host);
    [this.#primary, this.#replica] = [this.#replica, this.#primary];
  }

  /** The old primary gives its address up and follows the new one; what only it knew is gone. */
  async rejoin(): Promise<void> {
    this.#network.unserve(this.#replica.host);
    this.#network.heal();
    this.#network.forgetNeighbours();
    await this.#follow();
  }

  /** The primary, for whoever reads the history. */
  get socket(): string {
    return String(this.#primary.client.options.path);
  }

  async linked(): Promise<void> {
    while (!(await this.#replica.client.info("replication")).includes("master_link_status:up")) await sleep(20);
  }

  async stop(): Promise<void> {
    for (const { client, server } of [this.#primary, this.#replica]) {
      client.disconnect();
      const exit = once(server, "exit");
      server.kill("SIGKILL");
      await exit;
    }
  }

  async #follow(): Promise<void> {
    await this.#replica.client.replicaof(this.#network.address(this.#primary.host), PORT);
    await this.linked();
  }
}

async function startNode(network: Network, folder: string, host: string): Promise<Node> {
  const own = join(folder, host);
  mkdirSync(own);
  const socket = join(own, "redis.sock");
  const [command = "", ...args] = [
    ...network.on(host),
    ...["redis-server", "--port", String(PORT), "--bind", "0.0.0.0", "--protected-mode", "no"],
    ...["--unixsocket", socket, "--dir", own, "--appendonly", "yes", "--repl-timeout", "5"],
    ...["--repl-diskless-sync-delay", "0"],
  ];
  const server = spawn(command, args, { stdio: "ignore" });
  while (!existsSync(socket)) await sleep(5);
  return { host, server, client: new Redis(socket) };
}
