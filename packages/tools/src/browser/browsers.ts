import { type CallContext, type Clock, type IdSource, systemClock, systemIds } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { inSpan } from "../internal/spans.ts";
import type { Sandbox } from "../sandbox.ts";
import type { ProbeReport, SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import type { BrowserEvent } from "./browser-event.ts";
import type { BrowserProfiles } from "./browser-profiles.ts";
import { BrowserSession } from "./browser-session.ts";
import { type BrowserSpec, DEFAULT_LIMITS, DEFAULT_VIEWPORT } from "./browser-spec.ts";
import { CdpPipe } from "./cdp/cdp-pipe.ts";
import { type BrowserProgram, commandLine, findProgram } from "./chromium.ts";
import { KeptProfile } from "./kept-profile.ts";
import { proveOwnSandbox } from "./own-sandbox.ts";
import { Recorder } from "./recorder.ts";
import type { Recordings } from "./recordings.ts";
import type { Sealer } from "./sealer.ts";

export interface BrowsersDeps {
  /** Makes each browser's sandbox; it has to offer `userNamespaces`, and a way out where pages are to be reached. */
  readonly backend: SandboxBackend;
  /** Absolute paths, where they are not in the usual places. */
  readonly programs?: Partial<Record<BrowserProgram, string>>;
  /** With `sealer`, what a `profile` of a spec needs: profiles are never kept in the clear. */
  readonly profiles?: BrowserProfiles;
  readonly sealer?: Sealer;
  /** What `record` of a spec needs. */
  readonly recordings?: Recordings;
  /** Runs over every event before it is recorded. */
  readonly redact?: (event: BrowserEvent) => BrowserEvent;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Called when a session is open: to hand out a link to its live view. */
  onOpen?(session: BrowserSession): void;
}

const START_MS = 30_000;

/** Opens browsers: each a process tree of its own, in a sandbox of its own, with Chromium's own sandbox kept. */
export class Browsers implements AsyncDisposable {
  readonly #deps: BrowsersDeps;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, BrowserSession>();
  readonly #reports = new Map<BrowserProgram, Promise<ProbeReport>>();

  constructor(deps: BrowsersDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
  }

  /** Starts a browser once and looks whether its pages are held by Chromium's own sandbox too. */
  probe(program: BrowserProgram = "chromium"): Promise<ProbeReport> {
    const known = this.#reports.get(program);
    if (known !== undefined) return known;
    const report = this.#probe(program);
    this.#reports.set(program, report);
    return report;
  }

  /** `TOOLS_ISOLATION_UNAVAILABLE` with what to change where a browser cannot be held here: never a weaker one. */
  async open(context: CallContext, spec: BrowserSpec = {}): Promise<BrowserSession> {
    const report = await this.probe(spec.program);
    if (!report.ok) {
      throw new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `${report.backend}: ${report.reason} ${report.remedy}`);
    }
    const attributes = { "ashlar.browser.program": spec.program ?? "chromium" };
    return await inSpan("browser.open", attributes, async (span) => {
      const session = await this.#open(context, spec);
      span.setAttributes({ "ashlar.browser.id": session.id, "ashlar.sandbox.id": session.sandbox.id });
      this.#deps.onOpen?.(session);
      return session;
    });
  }

  get(id: string): BrowserSession | undefined {
    return this.#sessions.get(id);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#sessions.values()].map((session) => session.close()));
    this.#reports.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #open(context: CallContext, spec: BrowserSpec): Promise<BrowserSession> {
    const { backend, ids = systemIds, programs = {}, recordings, redact } = this.#deps;
    const program = findProgram(spec.program ?? "chromium", programs[spec.program ?? "chromium"]);
    if (spec.record && recordings === undefined) {
      throw new ToolsError("TOOLS_INVALID", "A recording was asked for, but no `recordings` were given.");
    }
    const profile = spec.profile === undefined ? undefined : await KeptProfile.open(context, spec.profile, this.#deps);
    const sandbox = await backend.create(context, sandboxSpec(spec));
    try {
      const { pipe, log } = await start(sandbox, commandLine(program, spec.viewport ?? DEFAULT_VIEWPORT));
      let recorder: Recorder | undefined;
      const session = new BrowserSession({
        ...{ id: ids.next("brw"), principal: context.principal, sandbox, pipe, spec, clock: this.#clock },
        beforeClose: async () => profile?.save(session),
        afterClose: async () => recorder?.done,
      });
      if (recordings !== undefined && spec.record) {
        recorder = new Recorder(session, {
          recordings,
          clock: this.#clock,
          ...(redact === undefined ? {} : { redact }),
        });
      }
      await this.#ready(async () => {
        await profile?.restore(session);
        await session.start();
      }, log);
      this.#sessions.set(session.id, session);
      void session.closed.then(() => this.#sessions.delete(session.id));
      return session;
    } catch (error) {
      await sandbox.close().catch(() => {});
      throw error;
    }
  }

  async #ready(begin: () => Promise<void>, log: () => Promise<string>): Promise<void> {
    const late = new AbortController();
    const timer = this.#clock.sleep(START_MS, { signal: late.signal }).then(
      () => "late" as const,
      () => undefined,
    );
    const outcome = await Promise.race([begin().catch((error: unknown) => ({ error })), timer]);
    late.abort();
    if (outcome === undefined) return;
    const ended = outcome === "late" || (ToolsError.is(outcome.error) && outcome.error.code === "TOOLS_SANDBOX_DIED");
    throw ended ? didNotStart(outcome === "late", await log()) : outcome.error;
  }

  async #probe(program: BrowserProgram): Promise<ProbeReport> {
    const report = await this.#deps.backend.probe();
    const failed = (reason: string, remedy: string): ProbeReport => ({
      ...{ ok: false, backend: `browser in ${report.backend}`, reason, remedy },
      grade: report.ok ? report.capabilities.grade : report.grade,
    });
    if (!report.ok) return report;
    if (!report.capabilities.userNamespaces) {
      return failed("Chromium's own sandbox needs user namespaces inside.", "Use the bubblewrap backend.");
    }
    if (report.capabilities.limits.memory !== "enforced") {
      return failed(
        "A browser's memory can only be held by control groups, and none can be written here.",
        "Delegate a cgroup v2 subtree, or run under systemd-run --user --scope.",
      );
    }
    try {
      const session = await this.#open({ principal: { tenant: "ashlar-probe" } }, { program });
      try {
        const weak = await proveOwnSandbox(session.sandbox);
        if (weak !== undefined) return failed(weak, "Do not use a browser here; report what it said.");
      } finally {
        await session.close();
      }
      return report;
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error), REMEDY);
    }
  }
}

const REMEDY =
  "Chromium makes user namespaces inside the sandbox: check user.max_user_namespaces, and kernel.apparmor_restrict_unprivileged_userns.";

const sandboxSpec = ({ limits, network, workspace }: BrowserSpec): SandboxSpec => ({
  userNamespaces: true,
  limits: { ...DEFAULT_LIMITS, ...limits },
  ...(network === undefined ? {} : { network }),
  ...(workspace === undefined ? {} : { workspace }),
});

async function start(sandbox: Sandbox, command: readonly string[]): Promise<{ pipe: CdpPipe; log(): Promise<string> }> {
  const { stdin, stdout, stderr, exit } = await sandbox.spawn(command);
  let log = "";
  const read = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stderr) if (log.length < 4_000) log += decoder.decode(chunk, { stream: true });
  })().catch(() => {});
  return {
    pipe: new CdpPipe({ stdin, stdout }),
    async log() {
      await Promise.race([Promise.all([exit, read]), systemClock.sleep(1_000)]);
      return log;
    },
  };
}

function didNotStart(late: boolean, log: string): ToolsError {
  if (/no usable sandbox|Failed to move to new namespace|sandbox_linux/i.test(log)) {
    return new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `Chromium could not have its own sandbox. ${REMEDY}`);
  }
  const said = log.split("\n").find((line) => /FATAL|ERROR/.test(line)) ?? log.trim().split("\n").at(-1) ?? "";
  const what = late ? `was not ready after ${START_MS} ms` : "ended at its start";
  return new ToolsError("TOOLS_BACKEND_FAILED", `The browser ${what}: ${said.slice(0, 300)}`);
}
