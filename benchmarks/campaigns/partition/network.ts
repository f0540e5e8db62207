import { execFileSync } from "node:child_process";

const ip = (...args: readonly string[]): string => execFileSync("ip", args, { encoding: "utf8", stdio: "pipe" });

/** The address under which the workers know their server, whoever has it. */
export const SERVICE = "10.77.0.10";

/** Hosts in network namespaces of their own, joined in a hub by two bridges: whoever stands on another is cut off. */
export class Network {
  readonly #prefix = `ashlar${process.pid}`;
  readonly #hosts = new Map<string, string>();

  constructor(hosts: readonly string[]) {
    ip("netns", "add", this.#name("hub"));
    for (const bridge of ["near", "far"]) {
      this.#in("hub", "link", "add", bridge, "type", "bridge");
      this.#in("hub", "link", "set", bridge, "up");
    }
    for (const [index, host] of hosts.entries()) {
      const address = `10.77.0.${100 + index}`;
      this.#hosts.set(host, address);
      ip("netns", "add", this.#name(host));
      this.#in("hub", "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", this.#name(host));
      this.#in("hub", "link", "set", host, "master", "near", "up");
      for (const device of ["lo", "eth0"]) this.#in(host, "link", "set", device, "up");
      this.#in(host, "address", "add", `${address}/24`, "dev", "eth0");
    }
  }

  /** What stands before a command that is to run on a host. */
  on(host: string): readonly string[] {
    return ["ip", "netns", "exec", this.#name(host)];
  }

  address(host: string): string {
    return this.#hosts.get(host) ?? "";
  }

  /** These hosts see each other, and no others. */
  cut(...hosts: readonly string[]): void {
    for (const host of hosts) this.#in("hub", "link", "set", host, "master", "far");
  }

  heal(): void {
    for (const host of this.#hosts.keys()) this.#in("hub", "link", "set", host, "master", "near");
  }

  serve(host: string): void {
    this.#in(host, "address", "add", `${SERVICE}/24`, "dev", "eth0");
  }

  unserve(host: string): void {
    this.#in(host, "address", "del", `${SERVICE}/24`, "dev", "eth0");
  }

  /** Nobody may go on sending to where the address was. */
  forgetNeighbours(): void {
    for (const host of this.#hosts.keys()) this.#in(host, "neighbour", "flush", "all");
  }

  close(): void {
    for (const host of [...this.#hosts.keys(), "hub"]) ip("netns", "delete", this.#name(host));
  }

  #name(host: string): string {
    return `${this.#prefix}${host}`;
  }

  #in(host: string, ...args: readonly string[]): void {
    ip("-netns", this.#name(host), ...args);
  }
}
