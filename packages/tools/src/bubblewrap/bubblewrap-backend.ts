import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Capabilities, Enforcement } from "../capabilities.ts";
import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import type { EgressGateway, EgressLink } from "../egress.ts";
import { ToolsError } from "../errors.ts";
import { GuestSandbox } from "../guest/guest-sandbox.ts";
import { GUEST_COMMAND, type Launch } from "../guest/launch.ts";
import { proveGuest } from "../guest/prove.ts";
import { guestEgress, offeredNetworks, openWayOut, shownFor } from "../guest/way-out.ts";
import { findNode, findPython, nodeInside, PATH_INSIDE, type Python } from "../internal/interpreters.ts";
import { parseSandboxSpec } from "../parse-sandbox-spec.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { Workspaces } from "../workspaces.ts";
import { type CgroupKeeper, cgroupLimits, findCgroups } from "./cgroups.ts";
import { Launcher, SECCOMP_FD } from "./launcher.ts";
import { keepNode, makeSkeleton, profile } from "./profile.ts";
import { seccompFilter } from "./seccomp.ts";

const ENVIRONMENT = { PATH: PATH_INSIDE, HOME: "/workspace", LANG: "C.UTF-8", TMPDIR: "/tmp" };

export interface BubblewrapBackendDeps {
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly egress?: EgressGateway;
  readonly workspaces?: Workspaces;
  /** Absolute paths, where they are not in the usual places. */
  readonly bwrap?: string;
  readonly python?: string;
  readonly node?: string;
  /** Where control groups are mounted. Default `/sys/fs/cgroup`; what cannot be held there is reported. */
  readonly cgroups?: string;
}

/** Linux namespaces through `bwrap`, filtered system calls, control groups where they can be had. */
export class BubblewrapBackend implements SandboxBackend {
  readonly name = "bubblewrap";
  readonly grade = "namespace";
  readonly #deps: BubblewrapBackendDeps;
  readonly #sandboxes = new Set<GuestSandbox>();
  readonly #bwrap: string;
  readonly #filter: Buffer | undefined = seccompFilter(process.arch);
  readonly #nestingFilter: Buffer | undefined = seccompFilter(process.arch, { userNamespaces: true });
  #report: Promise<ProbeReport> | undefined;
  #python: Python = { program: "" };
  #node: string | undefined;
  #skeleton = "";
  #compiled: Buffer | undefined;
  #cgroups: CgroupKeeper | undefined;
  #launcher: Launcher | undefined;

  constructor(deps: BubblewrapBackendDeps = {}) {
    this.#deps = deps;
    this.#bwrap = deps.bwrap ?? "/usr/bin/bwrap";
  }

  probe(): Promise<ProbeReport> {
    this.#report ??= this.#probe();
    return this.#report;
  }

  async create(context: CallContext, given: SandboxSpec = {}): Promise<Sandbox> {
    const spec = parseSandboxSpec(given);
    const report = await this.probe();
    if (!report.ok)
      throw new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `bubblewrap: ${report.reason} ${report.remedy}`);
    for (const language of spec.languages ?? []) {
      if (!report.capabilities.languages.includes(language)) {
        throw new ToolsError(
          "TOOLS_LANGUAGE_MISSING",
          `bubblewrap has no ${language} here: ${report.capabilities.notes.join(" ")}`,
        );
      }
    }
    if (spec.image !== undefined)
      throw new ToolsError("TOOLS_UNSUPPORTED", "bubblewrap has no images: use the container backend.");
    return await this.#start(context, spec, report.capabilities);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#sandboxes].map((sandbox) => sandbox.close()));
    this.#launcher?.close();
    this.#launcher = undefined;
    if (this.#skeleton !== "") rmSync(this.#skeleton, { recursive: true, force: true });
    this.#skeleton = "";
    this.#report = undefined;
  }

  async #start(context: CallContext, spec: SandboxSpec, capabilities: Capabilities): Promise<GuestSandbox> {
    const id = (this.#deps.ids ?? systemIds).next("sbx");
    const link = await openWayOut(this.#deps.egress, context, id, spec);
    try {
      const launch = this.#launch(id, spec, link);
      const sandbox = await GuestSandbox.start({
        ...{ id, context, spec, capabilities, launch, node: this.#node, workspaces: this.#deps.workspaces },
        clock: this.#deps.clock ?? systemClock,
        compiled: this.#compiled,
        egress: guestEgress(link),
      });
      this.#sandboxes.add(sandbox);
      void sandbox.closed.then(() => this.#sandboxes.delete(sandbox));
      return sandbox;
    } catch (error) {
      await link?.close();
      throw error;
    }
  }

  #launch(id: string, spec: SandboxSpec, link: EgressLink | undefined): Launch {
    const launcher = this.#launcher;
    if (launcher === undefined) throw new ToolsError("TOOLS_CLOSED", "This backend is closed.");
    const bundle = join(this.#skeleton, `${id}.pem`);
    const words = profile({
      ...{ skeleton: this.#skeleton, spec, python: this.#python, node: this.#node },
      shown: shownFor(link, bundle),
      seccompFd: this.#filter === undefined ? undefined : SECCOMP_FD,
    });
    const filter = spec.userNamespaces ? this.#nestingFilter : this.#filter;
    const limits = cgroupLimits(spec.limits);
    const group = this.#cgroups?.create(id, limits);
    const { socket, exited, kill } = launcher.start({
      ...{ id, filter, environment: ENVIRONMENT, groups: group?.join ?? [] },
      command: [this.#bwrap, ...words, "--", this.#python.program, ...GUEST_COMMAND],
      watch: group === undefined ? limits : undefined,
      rlimits: group === undefined ? { RLIMIT_AS: limits.memoryBytes * 4, RLIMIT_NPROC: 4096 } : {},
      user: process.getuid?.() === 0 ? 1_000_000_000 + randomInt(1_000_000_000) : undefined,
    });
    return {
      ...{ stdin: socket, stdout: socket, exited },
      kill() {
        kill();
        group?.kill();
      },
      release: async () => {
        rmSync(bundle, { force: true });
        for (let tries = 0; group !== undefined && !group.remove() && tries < 100; tries++) {
          group.kill();
          await systemClock.sleep(10);
        }
      },
    };
  }

  async #probe(): Promise<ProbeReport> {
    const failed = (reason: string, remedy: string): ProbeReport => ({
      ok: false,
      backend: this.name,
      grade: this.grade,
      reason,
      remedy,
    });
    if (process.platform !== "linux") return failed("bubblewrap needs Linux.", "Use the container backend or wasm.");
    if (!existsSync(this.#bwrap))
      return failed(`${this.#bwrap} is not there.`, "Install the package bubblewrap (0.8 or newer).");
    const python = findPython(this.#deps.python === undefined ? undefined : [this.#deps.python]);
    if (python === undefined)
      return failed("No real Python 3.9 or newer answers.", "Install the package python3, or name its absolute path.");
    this.#python = python;
    this.#skeleton = makeSkeleton();
    const node = findNode(this.#deps.node === undefined ? undefined : [this.#deps.node]);
    if (node !== undefined && nodeInside(node) !== node) keepNode(this.#skeleton, node);
    this.#node = node === undefined ? undefined : nodeInside(node);
    this.#cgroups = findCgroups(this.#deps.cgroups);
    try {
      this.#launcher = await Launcher.start(python.program, join(this.#skeleton, "launcher.sock"));
      const sandbox = await this.#start({ principal: { tenant: "ashlar-probe" } }, {}, this.#capabilities());
      try {
        this.#compiled = await sandbox.compile();
        if (this.#node !== undefined && (await sandbox.run("1 + 1", { language: "typescript" })).status !== "ok")
          this.#node = undefined;
        const found = await proveGuest(sandbox);
        if (found !== undefined) return failed(found, "Do not use this backend here; report what it said.");
      } finally {
        await sandbox.close();
      }
      return { ok: true, backend: this.name, capabilities: this.#capabilities() };
    } catch (error) {
      this.#launcher?.close();
      rmSync(this.#skeleton, { recursive: true, force: true });
      return failed(error instanceof Error ? error.message : String(error), remedy());
    }
  }

  #capabilities(): Capabilities {
    const kept: Enforcement = this.#cgroups === undefined ? "degraded" : "enforced";
    const notes: string[] = [];
    if (this.#cgroups === undefined) {
      notes.push(
        "No writable control groups: memory and processes are held by rlimits and a look every 100 ms, which ends the sandbox whole; CPU not at all. Delegate a cgroup v2 subtree, or run under systemd-run --user --scope.",
      );
    }
    if (this.#filter === undefined) notes.push(`No system call filter for ${process.arch}.`);
    if (this.#node === undefined)
      notes.push("No JavaScript: no Node with type stripping (22.13 or newer) that the user inside can read.");
    return {
      ...{
        backend: this.name,
        grade: this.grade,
        commands: true,
        pty: true,
        interrupt: true,
        ports: true,
        pause: false,
        snapshot: false,
        userNamespaces: true,
      },
      languages: this.#node === undefined ? ["python"] : ["python", "javascript", "typescript"],
      network: offeredNetworks(this.#deps.egress),
      limits: {
        ...{ memory: kept, processes: kept, disk: "enforced", wallTime: "enforced", output: "enforced" },
        cpus: this.#cgroups === undefined ? "none" : "enforced",
      },
      notes,
    };
  }
}

function remedy(): string {
  const restricted = spawnSync("/bin/cat", ["/proc/sys/kernel/apparmor_restrict_unprivileged_userns"])
    .stdout?.toString()
    .trim();
  if (restricted === "1")
    return "Add an AppArmor profile with `userns` for bwrap, or set kernel.apparmor_restrict_unprivileged_userns=0.";
  const off = spawnSync("/bin/cat", ["/proc/sys/kernel/unprivileged_userns_clone"]).stdout?.toString().trim();
  if (off === "0") return "Set kernel.unprivileged_userns_clone=1.";
  return "Check user.max_user_namespaces, and in a container its seccomp profile and masked /proc.";
}
