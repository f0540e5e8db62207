import { randomBytes } from "node:crypto";
import type { Writable } from "node:stream";
import { cgroupLimits } from "../bubblewrap/cgroups.ts";
import { seccompFilter } from "../bubblewrap/seccomp.ts";
import type { Capabilities } from "../capabilities.ts";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import type { EgressGateway, EgressLink } from "../egress.ts";
import { ToolsError } from "../errors.ts";
import { GuestSandbox } from "../guest/guest-sandbox.ts";
import { GUEST_COMMAND, type Launch } from "../guest/launch.ts";
import { proveGuest } from "../guest/prove.ts";
import { guestEgress, offeredNetworks, openWayOut, shownFor } from "../guest/way-out.ts";
import { parseSandboxSpec } from "../parse-sandbox-spec.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxMount, SandboxSpec } from "../sandbox-spec.ts";
import type { Workspaces } from "../workspaces.ts";
import { attachedOutput } from "./attached-output.ts";
import type { ContainerEngine } from "./container-engine.ts";

export interface ContainerBackendDeps {
  /** A dockerode `Docker`, connected to Docker or to Podman's API service. Stays the caller's. */
  readonly engine: ContainerEngine;
  /**
   * Has a Python 3.9 or newer, a `/workspace` that is writable for user 1000 or none, and is there already: nothing is
   * pulled. `image` of a spec goes before it.
   */
  readonly image: string;
  /** Absolute paths inside the image. Default `/usr/bin/python3`, and no Node. */
  readonly python?: string;
  readonly node?: string;
  /** Runtime that the engine starts containers with. Default: the engine's own. */
  readonly runtime?: string;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Its socket is shown to the container: the engine has to run on this machine. */
  readonly egress?: EgressGateway;
  readonly workspaces?: Workspaces;
}

const MARKER_BYTES = 16;
/** Podman gives the bytes of the request that attaches to the program's stdin: what comes before the marker is not ours. */
const SKIP_TO_MARKER = `import os,sys
m=sys.argv[1].encode()
b=b''
while b[-${MARKER_BYTES * 2}:]!=m:
 c=os.read(0,1)
 if not c or len(b)>4096:os._exit(1)
 b+=c
`;

/** Where the kernel shows the machine itself; engines leave most of it readable. */
const COVERED = [
  ...[
    "asound",
    "acpi",
    "interrupts",
    "kcore",
    "keys",
    "latency_stats",
    "timer_list",
    "timer_stats",
    "sched_debug",
    "scsi",
  ].map((name) => `/proc/${name}`),
  ...["block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module"].map((name) => `/sys/${name}`),
];
const ANSWER_MS = 60_000;

/** Docker's API sets no time for an answer. */
async function answer<T>(asked: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`The engine did not answer in ${ANSWER_MS} ms.`)), ANSWER_MS);
  return Promise.race([asked, late.promise]).finally(() => clearTimeout(timer));
}

/** Containers of Docker or Podman: read-only images, files in memory, no network device, no capabilities, no root inside. */
export class ContainerBackend implements SandboxBackend {
  readonly name = "container";
  readonly grade = "namespace";
  readonly #deps: ContainerBackendDeps;
  readonly #sandboxes = new Set<GuestSandbox>();
  #report: Promise<ProbeReport> | undefined;
  #compiled: Buffer | undefined;

  constructor(deps: ContainerBackendDeps) {
    this.#deps = deps;
  }

  probe(): Promise<ProbeReport> {
    this.#report ??= this.#probe();
    return this.#report;
  }

  async create(context: CallContext, given: SandboxSpec = {}): Promise<Sandbox> {
    const spec = parseSandboxSpec(given);
    const report = await this.probe();
    if (!report.ok) throw new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `container: ${report.reason} ${report.remedy}`);
    const missing = spec.languages?.find((language) => !report.capabilities.languages.includes(language));
    if (missing !== undefined) {
      throw new ToolsError("TOOLS_LANGUAGE_MISSING", `The container backend was given no ${missing}: name its path.`);
    }
    if (spec.mounts !== undefined && spec.mounts.length > 0) {
      throw new ToolsError(
        "TOOLS_UNSUPPORTED",
        "The container backend shows no folders of the host: put them in the image.",
      );
    }
    if (spec.userNamespaces) {
      throw new ToolsError("TOOLS_UNSUPPORTED", "The container backend nests no user namespaces: use bubblewrap.");
    }
    return this.#start(context, spec, report.capabilities);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#sandboxes].map((sandbox) => sandbox.close()));
    this.#report = undefined;
  }

  async #start(context: CallContext, spec: SandboxSpec, capabilities: Capabilities): Promise<GuestSandbox> {
    const id = (this.#deps.ids ?? systemIds).next("sbx");
    const link = await openWayOut(this.#deps.egress, context, id, spec);
    try {
      const sandbox = await GuestSandbox.start({
        ...{ id, context, spec, capabilities, node: this.#deps.node, workspaces: this.#deps.workspaces },
        launch: await this.#launch(id, spec, link),
        filter: seccompFilter(process.arch),
        // Another image may have another interpreter.
        compiled: spec.image === undefined ? this.#compiled : undefined,
        egress: guestEgress(link),
        clock: this.#deps.clock ?? systemClock,
      });
      this.#sandboxes.add(sandbox);
      void sandbox.closed.then(() => this.#sandboxes.delete(sandbox));
      return sandbox;
    } catch (error) {
      await link?.close();
      throw error;
    }
  }

  async #launch(id: string, spec: SandboxSpec, link: EgressLink | undefined): Promise<Launch> {
    // In the folder of the link's socket, which is shown inside and goes when the link closes.
    const shown = link === undefined ? [] : shownFor(link, `${link.socketPath}.pem`);
    const marker = randomBytes(MARKER_BYTES).toString("hex");
    const made = this.#podman().then((podman) => {
      return this.#deps.engine.createContainer(this.#options(id, spec, { marker, podman, shown }));
    });
    const container = await answer(made).catch((error: unknown) => {
      throw new ToolsError("TOOLS_BACKEND_FAILED", "The engine made no container: see the cause.", { cause: error });
    });
    const remove = () => answer(container.remove({ force: true })).catch(() => {});
    try {
      const all = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
      const stream = await answer(container.attach(all));
      stream.on("error", () => {});
      await answer(container.start());
      stream.write(marker);
      let log = "";
      const stdout = attachedOutput(stream as unknown as AsyncIterable<Buffer>, (text) => {
        log += text;
      });
      const exited = container.wait().then(
        ({ StatusCode }) => ({ reason: log.trim().slice(0, 500) || `ended with ${StatusCode}` }),
        () => ({ reason: "the engine lost the container" }),
      );
      return {
        stdin: stream as unknown as Writable,
        stdout,
        exited,
        kill: () => void container.kill().catch(remove),
        release: async () => {
          await remove();
          (stream as unknown as Writable).destroy();
        },
      };
    } catch (error) {
      await remove();
      throw new ToolsError("TOOLS_BACKEND_FAILED", "The engine did not start the container: see the cause.", {
        cause: error,
      });
    }
  }

  async #podman(): Promise<boolean> {
    const { Components = [] } = await this.#deps.engine.version();
    return Components.some(({ Name }) => Name.startsWith("Podman"));
  }

  #options(
    id: string,
    spec: SandboxSpec,
    {
      marker,
      podman,
      shown,
    }: { readonly marker: string; readonly podman: boolean; readonly shown: readonly SandboxMount[] },
  ): Record<string, unknown> {
    const limits = cgroupLimits(spec.limits);
    const disk = (spec.limits?.diskMiB ?? 256) * 1024 * 1024;
    const memory = (share: number) => `rw,nosuid,nodev,mode=1777,size=${Math.floor(disk * share)}`;
    const { image, python = "/usr/bin/python3", runtime } = this.#deps;
    return {
      name: id,
      Image: spec.image ?? image,
      Entrypoint: [python],
      Cmd: [...GUEST_COMMAND.slice(0, -1), SKIP_TO_MARKER + GUEST_COMMAND.at(-1), marker],
      User: "1000:1000",
      Hostname: "sandbox",
      ...{ StopSignal: "SIGKILL", StopTimeout: 0 },
      WorkingDir: "/workspace",
      Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/workspace", "LANG=C.UTF-8", "TMPDIR=/tmp"],
      ...{ OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false },
      NetworkDisabled: true,
      HostConfig: {
        NetworkMode: "none",
        ReadonlyRootfs: true,
        Init: false,
        CapDrop: ["ALL"],
        // Docker takes the list, Podman the option; each ignores or refuses the other's.
        MaskedPaths: COVERED,
        SecurityOpt: ["no-new-privileges", ...(podman ? [`mask=${COVERED.join(":")}`] : [])],
        Tmpfs: { "/workspace": memory(0.75), "/tmp": memory(0.25) },
        Binds: shown.map(({ source, target }) => `${source}:${target}:ro`),
        ShmSize: 1024 * 1024,
        Memory: limits.memoryBytes,
        MemorySwap: limits.memoryBytes,
        NanoCpus: Math.round((spec.limits?.cpus ?? 1) * 1e9),
        PidsLimit: spec.limits?.processes ?? 128,
        LogConfig: { Type: "none" },
        ...(runtime === undefined ? {} : { Runtime: runtime }),
      },
    };
  }

  async #probe(): Promise<ProbeReport> {
    const failed = (reason: string, remedy: string): ProbeReport => ({
      ...{ ok: false as const, backend: this.name, grade: this.grade, reason, remedy },
    });
    try {
      const sandbox = await this.#start({ principal: { tenant: "ashlar-probe" } }, {}, this.#capabilities());
      try {
        this.#compiled = await sandbox.compile();
        const found = await proveGuest(sandbox);
        if (found !== undefined) return failed(found, "Do not use this engine; report what it said.");
        if (this.#deps.node !== undefined && (await sandbox.run("1 + 1", { language: "typescript" })).status !== "ok") {
          return failed(`${this.#deps.node} does not run TypeScript inside.`, "Use an image with Node 22.13 or newer.");
        }
      } finally {
        await sandbox.close();
      }
      return { ok: true, backend: this.name, capabilities: this.#capabilities() };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? ` ${error.cause.message}` : "";
      return failed(
        `${error instanceof Error ? error.message : String(error)}${cause}`.slice(0, 500),
        `Check that the engine runs (for Podman: podman system service), that it has the image ${this.#deps.image}, and that its Python is 3.9 or newer.`,
      );
    }
  }

  #capabilities(): Capabilities {
    return {
      backend: this.name,
      grade: this.grade,
      languages: this.#deps.node === undefined ? ["python"] : ["python", "javascript", "typescript"],
      ...{
        commands: true,
        pty: true,
        interrupt: true,
        ports: true,
        pause: false,
        snapshot: false,
        userNamespaces: false,
      },
      network: offeredNetworks(this.#deps.egress),
      limits: {
        ...{ memory: "enforced", cpus: "enforced", processes: "enforced" },
        ...{ disk: "enforced", wallTime: "enforced", output: "enforced" },
      },
      notes: ["No folders of the host inside."],
    };
  }
}
