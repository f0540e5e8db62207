import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CallContext } from "../../dialect.ts";
import type { EgressGateway, EgressLink } from "../../egress.ts";
import type { EgressCredentials } from "../../egress-credentials.ts";
import { ToolsError } from "../../errors.ts";
import type { NetworkPolicy } from "../../network-policy.ts";
import { EgressAuthority } from "../egress-authority.ts";
import type { EgressDecision } from "../egress-decision.ts";
import { type EgressProxyDeps, linkLimits } from "../egress-proxy.ts";
import { assertOffered, proxyVariables, warnOfOpen } from "../proxy-link.ts";
import type { OpenLink, ProxySettings } from "./messages.ts";
import { type Message, Peer } from "./peer.ts";
import { servedCredentials } from "./served-credentials.ts";

const MAIN = new URL(`./main${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url);

export interface EgressProcessDeps extends Omit<EgressProxyDeps, "lookup" | "clock" | "substitution"> {
  /** As for `EgressProxy`; the authority as it was made by `createEgressAuthority`, since its key goes to the process. */
  readonly substitution?: {
    readonly credentials: EgressCredentials;
    readonly authority: { readonly certificate: string; readonly key: string };
    readonly ca?: string | readonly string[];
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly peer: Peer;
}

/**
 * The egress proxy in a process of its own: one for all sandboxes of an installation, started with the first of them.
 * What sandboxes say to the proxy is read there, away from this process's memory; decisions are logged and credentials
 * asked for here. When it ends, every way out is closed with it, and a new process opens them again with the policies
 * they had. Neither its arguments nor its environment hold anything.
 */
export class EgressProcess implements EgressGateway, AsyncDisposable {
  readonly #deps: EgressProcessDeps;
  readonly #settings: ProxySettings;
  readonly #links = new Map<string, { readonly context: CallContext; request: OpenLink }>();
  #running: Promise<Running> | undefined;
  #pid: number | undefined;
  #closed = false;

  constructor(deps: EgressProcessDeps = {}) {
    this.#deps = deps;
    const { authority, ca } = deps.substitution ?? {};
    // Refuses here what would be refused there.
    if (authority !== undefined) new EgressAuthority(authority);
    const found = { ...(authority === undefined ? {} : { authority }), ...(ca === undefined ? {} : { ca }) };
    this.#settings = { ...linkLimits(deps), ...found };
  }

  /** Of the proxy's process, while there is one. */
  get pid(): number | undefined {
    return this.#pid;
  }

  async open(
    context: CallContext,
    { sandbox, policy }: { readonly sandbox: string; readonly policy: NetworkPolicy },
  ): Promise<EgressLink> {
    assertOffered(policy, this.#settings.packageHosts);
    warnOfOpen(policy, sandbox);
    const folder = await mkdtemp(join(tmpdir(), "ashlar-egress-"));
    const link = join(folder, randomBytes(16).toString("hex"));
    const kept = { context, request: { link, sandbox, policy, principal: context.principal } };
    try {
      await chmod(folder, 0o711);
      const { peer } = await this.#start();
      this.#links.set(link, kept);
      await peer.call("open", kept.request);
    } catch (cause) {
      this.#links.delete(link);
      await rm(folder, { recursive: true, force: true });
      if (ToolsError.is(cause)) throw cause;
      throw new ToolsError("TOOLS_BACKEND_FAILED", "The egress proxy's process did not open a way out.", { cause });
    }
    return this.#link(link, kept);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const running = await this.#running?.catch(() => undefined);
    this.#running = undefined;
    if (running !== undefined && running.child.exitCode === null && running.child.signalCode === null) {
      running.child.ref();
      const ended = once(running.child, "exit");
      if (running.child.connected) running.child.disconnect();
      await ended;
    }
    const folders = [...this.#links.keys()].map(dirname);
    this.#links.clear();
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #link(link: string, kept: { request: OpenLink }): EgressLink {
    const { substitution } = this.#deps;
    return {
      socketPath: link,
      environment: proxyVariables,
      ...(substitution === undefined ? {} : { certificates: substitution.authority.certificate }),
      setPolicy: async (policy) => {
        assertOffered(policy, this.#settings.packageHosts);
        warnOfOpen(policy, kept.request.sandbox);
        // A process that takes this one's place begins with it.
        kept.request = { ...kept.request, policy };
        const { peer } = await this.#start();
        await peer.call("setPolicy", { link, policy }).catch(() => this.#start());
      },
      close: async () => {
        if (!this.#links.delete(link)) return;
        const running = await this.#running?.catch(() => undefined);
        await running?.peer.call("close", { link }).catch(() => {});
        await rm(dirname(link), { recursive: true, force: true });
      },
    };
  }

  #start(): Promise<Running> {
    if (this.#closed) return Promise.reject(new ToolsError("TOOLS_CLOSED", "This egress proxy is closed."));
    this.#running ??= this.#run().catch((error) => {
      this.#running = undefined;
      throw error;
    });
    return this.#running;
  }

  async #run(): Promise<Running> {
    const child = fork(fileURLToPath(MAIN), [], {
      ...{ env: {}, execArgv: [], cwd: "/", serialization: "advanced" },
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const peer: Peer = new Peer((message) => child.connected && child.send(message, () => {}), {
      decided: async ({ link, decision }: { readonly link: string; readonly decision: EgressDecision }) => {
        if (this.#links.has(link)) this.#deps.log?.record(decision);
      },
      ...(this.#deps.substitution === undefined
        ? {}
        : servedCredentials(
            this.#deps.substitution.credentials,
            (link) => this.#contextOf(link),
            () => peer,
          )),
    });
    child.on("message", (message: Message) => void peer.take(message));
    const ended = new ToolsError("TOOLS_BACKEND_FAILED", "The egress proxy's process has ended: try again.");
    let ready = false;
    const lost = () => {
      peer.end(ended);
      if (this.#pid === child.pid) this.#pid = undefined;
      if (!ready) return;
      ready = false;
      this.#running = undefined;
      if (!this.#closed && this.#links.size > 0) this.#start().catch(() => {});
    };
    child.once("exit", lost).once("error", lost);
    await peer.call("start", this.#settings);
    await Promise.all([...this.#links.values()].map(({ request }) => peer.call("open", request)));
    ready = true;
    this.#pid = child.pid;
    // Sandboxes keep this process alive, their proxy does not.
    child.unref();
    child.channel?.unref();
    return { child, peer };
  }

  #contextOf(link: string): CallContext {
    const known = this.#links.get(link);
    if (known === undefined) throw new Error("There is no such way out.");
    return known.context;
  }
}
