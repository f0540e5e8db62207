import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Runtime, type SessionEvent } from "@ashlar/runtime";
import { walker } from "./agent.ts";
import { check, type Findings } from "./check.ts";
import { type Engine, openEngine, type Place } from "./engine.ts";

export const LEASE_MS = 1_000;
const SESSIONS = 24;
const context = { principal: { tenant: "campaign" } };

/** Sessions that walk, the workers that carry them, and what was acknowledged outside of the log. */
export class Stage {
  readonly folder: string;
  readonly workers: ChildProcess[] = [];
  #engine: Engine;
  #runtime: Runtime;
  readonly #sessions: string[] = [];
  readonly #sent = new Map<string, string>();

  private constructor(folder: string, place: Place) {
    this.folder = folder;
    appendFileSync(join(folder, "outside"), "");
    [this.#engine, this.#runtime] = opened(folder, place);
  }

  static async set(folder: string, place: Place): Promise<Stage> {
    const stage = new Stage(folder, place);
    for (let index = 0; index < SESSIONS; index++) {
      stage.#sessions.push((await stage.#runtime.sessions.open(context, { agent: "walker" })).id);
    }
    return stage;
  }

  /** `around` stands before the command: a network namespace to run it in. */
  launch(index: number, place: Place, around: readonly string[] = []): void {
    const entry = fileURLToPath(new URL("worker.ts", import.meta.url));
    const node = [process.execPath, "--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning"];
    const [command = "", ...args] = [...around, ...node, entry, this.folder, JSON.stringify(place)];
    this.workers[index] = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  }

  async kill(index: number): Promise<void> {
    const worker = this.workers[index];
    if (worker === undefined) return;
    worker.kill("SIGKILL");
    if (worker.exitCode === null && worker.signalCode === null) await once(worker, "exit");
  }

  /** Past its lease, so that another worker takes its sessions over; then it wakes up as a zombie. */
  async pause(index: number, more: number): Promise<void> {
    this.workers[index]?.kill("SIGSTOP");
    await sleep(LEASE_MS * (1.2 + more));
    this.workers[index]?.kill("SIGCONT");
  }

  /** Every session that has come to rest gets its next message. */
  async feed(): Promise<void> {
    await Promise.all(
      this.#sessions.map(async (session) => {
        const { status } = await answered(() => this.#runtime.sessions.get(context, session));
        if (status !== "idle") return;
        const idempotencyKey = `${session} ${this.#sent.size} ${Math.random()}`;
        const message = { type: "user.message", body: { go: true } };
        const { seq } = await answered(() =>
          this.#runtime.sessions.send({ ...context, idempotencyKey }, session, message),
        );
        this.#sent.set(`${session} ${seq}`, session);
      }),
    );
  }

  /** Steps that have begun or whose result has come back, half each. */
  get acknowledged(): number {
    let lines = 0;
    for (const byte of readFileSync(join(this.folder, "outside"))) if (byte === 10) lines += 1;
    return Math.floor(lines / 2);
  }

  /** Waits until every session rests; whoever takes longer than this is stuck, which no campaign may hide. */
  async settle(mostMs = 120_000): Promise<number> {
    const until = Date.now() + mostMs;
    let stuck = 0;
    for (const session of this.#sessions) {
      for (;;) {
        const { status } = await answered(() => this.#runtime.sessions.get(context, session));
        if (status === "idle") break;
        if (Date.now() > until) {
          stuck += 1;
          break;
        }
        await sleep(50);
      }
    }
    return stuck;
  }

  /** The campaign's own view, after the sessions' place has another address. */
  async moveTo(place: Place): Promise<void> {
    await this.#engine.close();
    [this.#engine, this.#runtime] = opened(this.folder, place);
  }

  async findings(): Promise<Findings> {
    const histories = new Map<string, readonly SessionEvent[]>();
    for (const session of this.#sessions) histories.set(session, await this.#history(session));
    return check(this.folder, histories, this.#sent);
  }

  async close(): Promise<void> {
    for (const index of this.workers.keys()) {
      this.workers[index]?.kill("SIGCONT");
      await this.kill(index);
    }
    await this.#engine.close();
  }

  async #history(session: string): Promise<readonly SessionEvent[]> {
    const events: SessionEvent[] = [];
    for (;;) {
      const page = await this.#engine.log.read(context, session, { after: events.length, limit: 1000 });
      events.push(...page);
      if (page.length === 0) return events;
    }
  }
}

function opened(folder: string, place: Place): [Engine, Runtime] {
  const engine = openEngine(place);
  const { close: _, ...parts } = engine;
  return [engine, new Runtime({ ...parts, agents: [walker(folder)] })];
}

export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-campaign-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A server that is being killed answers later. */
export async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true) throw error;
      await sleep(50);
    }
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A small seeded generator: the schedule repeats, the interleaving of processes does not. */
export function mulberry32(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
