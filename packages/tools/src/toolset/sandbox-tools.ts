import { type CallContext, type Clock, type IdSource, type Json, systemClock, systemIds } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { GuardedFetchError } from "../internal/guarded-fetch.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxBackend } from "../sandbox-backend.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import { BackgroundTasks } from "./background-tasks.ts";
import { IdleCountdown } from "./idle-countdown.ts";
import type { SandboxTool, ToolContent, ToolResult, ToolSession } from "./sandbox-tool.ts";

export interface SandboxToolsDeps {
  readonly backend: SandboxBackend;
  readonly tools: readonly SandboxTool[];
  /** How each session's sandbox is made; a function sees whom it is for. */
  readonly spec?: SandboxSpec | ((context: CallContext) => SandboxSpec);
  /** A longer text of a result goes to a file in the sandbox. Default 100,000 characters. */
  readonly maxResultCharacters?: number;
  /**
   * A session's sandbox ends when no call came and no background task ran for so long; the next call makes a new one
   * and says so. Default 15 min; `Infinity` keeps it until the session is closed.
   */
  readonly idleMs?: number;
  readonly clock?: Clock;
  readonly ids?: IdSource;
}

interface Session {
  readonly tasks: BackgroundTasks;
  /** Results by idempotency key, the newest last. */
  readonly results: Map<string, Promise<ToolResult>>;
  readonly countdown: IdleCountdown;
  sandbox?: Promise<Sandbox>;
  /** The sandbox before, while it puts its files away. */
  ending?: Promise<void>;
  /** The sandbox ended by itself and another takes its place. */
  restarted: boolean;
}

const DEFAULT_CHARACTERS = 100_000;
const DEFAULT_IDLE_MS = 15 * 60_000;
const PREVIEW = 4_000;
const KEPT_RESULTS = 256;

/**
 * Tools over one sandbox per session: `list` and `call` have the shape of MCP, so that an agent runtime or a gateway
 * takes it as a source of tools. A sandbox is made at a session's first call and never passes to another session.
 */
export class SandboxTools implements AsyncDisposable {
  readonly #backend: SandboxBackend;
  readonly #tools: ReadonlyMap<string, SandboxTool>;
  readonly #spec: SandboxToolsDeps["spec"];
  readonly #maxCharacters: number;
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #sessions = new Map<string, Session>();
  #closed = false;

  constructor({
    backend,
    tools,
    spec,
    maxResultCharacters = DEFAULT_CHARACTERS,
    idleMs = DEFAULT_IDLE_MS,
    clock = systemClock,
    ids = systemIds,
  }: SandboxToolsDeps) {
    this.#backend = backend;
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
    if (this.#tools.size < tools.length) throw new ToolsError("TOOLS_INVALID", "Two of the tools have the same name.");
    this.#spec = spec;
    this.#maxCharacters = maxResultCharacters;
    this.#idleMs = idleMs;
    this.#clock = clock;
    this.#ids = ids;
  }

  /** What the backend can offer here; makes no sandbox. */
  async list(
    _context: CallContext,
  ): Promise<readonly { readonly name: string; readonly description: string; readonly inputSchema: Json }[]> {
    const described = await this.#described();
    return described.flatMap(({ name, tool }) => ("unavailable" in tool ? [] : [{ name, ...tool }]));
  }

  /** The tools that were asked for and are not listed, each with the reason. */
  async unavailable(): Promise<readonly { readonly name: string; readonly reason: string }[]> {
    const described = await this.#described();
    return described.flatMap(({ name, tool }) => ("unavailable" in tool ? [{ name, reason: tool.unavailable }] : []));
  }

  /**
   * A failure of the tool's own doing is a result with `isError`; rejects only with `TOOLS_UNKNOWN_TOOL`,
   * `TOOLS_CLOSED`, `TOOLS_CANCELLED`, or when there is no sandbox to be had. A repeated `idempotencyKey` gives the
   * first result while this object and the session live.
   */
  async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    if (this.#closed) throw new ToolsError("TOOLS_CLOSED", "These tools are closed.");
    const tool = this.#tools.get(name);
    const offered = (await this.#described()).find((each) => each.name === name)?.tool;
    if (tool === undefined || offered === undefined || "unavailable" in offered) {
      const why = offered !== undefined && "unavailable" in offered ? `: ${offered.unavailable}` : "";
      throw new ToolsError("TOOLS_UNKNOWN_TOOL", `There is no tool ${name} here${why}.`);
    }
    const session = this.#session(context);
    const key = context.idempotencyKey;
    const known = key === undefined ? undefined : session.results.get(key);
    if (known !== undefined) return known;
    const result = session.countdown.during(() => this.#run(session, context, tool, args));
    if (key !== undefined) {
      session.results.set(key, result);
      result.catch(() => session.results.delete(key));
      const [oldest] = session.results.keys();
      if (session.results.size > KEPT_RESULTS && oldest !== undefined) session.results.delete(oldest);
    }
    return result;
  }

  /** Ends the sandbox of one session; a later call would make a new one. */
  async closeSession(context: CallContext): Promise<void> {
    const key = sessionKey(context);
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    await ended(session);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map(ended));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #described(): Promise<
    readonly { readonly name: string; readonly tool: ReturnType<SandboxTool["describe"]> }[]
  > {
    const report = await this.#backend.probe();
    if (!report.ok) {
      throw new ToolsError("TOOLS_ISOLATION_UNAVAILABLE", `${report.backend}: ${report.reason} ${report.remedy}`);
    }
    return [...this.#tools].map(([name, tool]) => ({ name, tool: tool.describe(report.capabilities) }));
  }

  #session(context: CallContext): Session {
    const key = sessionKey(context);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const countdown = new IdleCountdown({ clock: this.#clock, ms: this.#idleMs, idle: () => this.#idle(session) });
    const tasks = new BackgroundTasks({ ids: this.#ids });
    const session: Session = { tasks, results: new Map(), countdown, restarted: false };
    this.#sessions.set(key, session);
    return session;
  }

  async #run(session: Session, context: CallContext, tool: SandboxTool, args: Json): Promise<ToolResult> {
    const sandbox = () => this.#sandbox(session, context);
    const forTool: ToolSession = { context, tasks: session.tasks, sandbox };
    try {
      const result = await this.#fitted(await tool.call(forTool, args), sandbox);
      if (!session.restarted) return result;
      session.restarted = false;
      const note = { type: "text", text: "The sandbox was started afresh: variables and processes are gone." };
      return { ...result, content: [note, ...result.content] };
    } catch (error) {
      const told = ToolsError.is(error) ? !RAISED.has(error.code) : error instanceof GuardedFetchError;
      if (!told) throw error;
      return { content: [{ type: "text", text: `${tool.name}: ${(error as Error).message}` }], isError: true };
    }
  }

  #idle(session: Session): void {
    const { sandbox, tasks, countdown } = session;
    if (tasks.running > 0) countdown.start();
    if (tasks.running > 0 || sandbox === undefined) return;
    delete session.sandbox;
    tasks.clear();
    session.results.clear();
    session.restarted = true;
    session.ending = sandbox.then((each) => each.close()).catch(() => {});
  }

  #sandbox(session: Session, context: CallContext): Promise<Sandbox> {
    if (session.sandbox !== undefined) return session.sandbox;
    const spec = typeof this.#spec === "function" ? this.#spec(context) : this.#spec;
    const { principal } = context;
    const made = (session.ending ?? Promise.resolve()).then(() => this.#backend.create({ principal }, spec));
    session.sandbox = made;
    const forget = () => {
      if (session.sandbox !== made) return false;
      delete session.sandbox;
      session.tasks.clear();
      return true;
    };
    made.then((sandbox) => sandbox.closed.then(() => (session.restarted = forget() || session.restarted)), forget);
    return made;
  }

  /** Long texts go to a file that the agent can read on; the result keeps their beginning. */
  async #fitted(result: ToolResult, sandbox: () => Promise<Sandbox>): Promise<ToolResult> {
    const content: ToolContent[] = [];
    let spilled = false;
    for (const block of result.content) {
      const { text } = block;
      if (block.type !== "text" || typeof text !== "string" || text.length <= this.#maxCharacters) {
        content.push(block);
        continue;
      }
      const path = `.results/${this.#ids.next("res")}.txt`;
      await (await sandbox()).files.write(path, text);
      spilled = true;
      const head = text.slice(0, Math.min(PREVIEW, this.#maxCharacters));
      content.push({
        ...block,
        text: `${head}\n[${text.length} characters in all: the whole is in the file ${path} of the sandbox]`,
      });
    }
    if (!spilled) return result;
    const { structuredContent: _, ...rest } = result;
    return { ...rest, content };
  }
}

/** What the caller must hear of; everything else is for the agent to read and mend. */
const RAISED: ReadonlySet<string> = new Set([
  "TOOLS_ISOLATION_UNAVAILABLE",
  "TOOLS_CLOSED",
  "TOOLS_CANCELLED",
  "TOOLS_PROTOCOL",
  "TOOLS_BACKEND_FAILED",
]);

function sessionKey({ principal: { tenant, agent, session } }: CallContext): string {
  if (session !== undefined) return JSON.stringify([tenant, agent ?? null, session]);
  throw new ToolsError("TOOLS_INVALID", "A sandbox belongs to one session: the principal of the call must name it.");
}

async function ended(session: Session | undefined): Promise<void> {
  session?.countdown.stop();
  const sandbox = await session?.sandbox?.catch(() => undefined);
  await Promise.all([sandbox?.close(), session?.ending]);
}
