import type { ChildProcess } from "node:child_process";
import type { CrashPoint, WorkerConfig } from "./config.ts";
import { Desk, type StreamedEvent } from "./desk.ts";
import { UsageError } from "./options.ts";
import { exited, jsonLines, startScript, stop } from "./processes.ts";
import type { Terminal } from "./terminal.ts";

export interface Outcome {
  readonly session: string;
  readonly answer: string;
  readonly backend: string;
  readonly grade: string;
  readonly reached: boolean;
  readonly kills: number;
  readonly expectedKills: number;
}

interface Up {
  readonly url: string;
  readonly backend: string;
  readonly grade: string;
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
  readonly reached: boolean;
}

interface Job {
  readonly config: WorkerConfig;
  readonly token: string;
  readonly ticket: string;
  readonly crashes: readonly CrashPoint[];
  readonly control: string;
  readonly terminal: Terminal;
  readonly environment: NodeJS.ProcessEnv;
}

/** Starts the runtime's process, asks it to resolve the ticket, and starts it again as often as it is killed. */
export async function resolveTicket({
  config,
  token,
  ticket,
  crashes,
  control,
  terminal,
  environment,
}: Job): Promise<Outcome> {
  const desk = new Desk({ token });
  const left = [...crashes];
  const progress = { last: 0, answer: "", refunds: false, settled: false, failure: "" };
  let session = "";
  let kills = 0;
  for (;;) {
    const [crash] = left;
    const worker = startScript("worker.ts", {
      ...environment,
      ASHLAR_WORKER: JSON.stringify(crash === undefined ? config : { ...config, crash }),
    });
    const up = await whenUp(worker);
    if (session === "") {
      terminal.step("·", `sandbox: ${up.backend}, grade ${up.grade}`);
      for (const { name, reason } of up.missing) terminal.step("·", `not offered here: ${name} (${reason})`);
      terminal.title("Progress");
      session = await desk.open(up.url, ticket);
      await desk.ask(up.url, session, `Resolve ticket ${ticket}. Reference: ${control}.`, `ask ${ticket}`);
    }
    try {
      for await (const event of desk.events(up.url, session, progress.last)) {
        note(event, progress, terminal);
        if (progress.settled) break;
      }
    } catch {
      // The stream broke with its process: the loop goes on from the last event that was seen.
    }
    if (progress.settled) {
      await stop(worker);
      if (progress.failure !== "") throw new UsageError(`The ticket was not resolved: ${progress.failure}`);
      return { session, ...progress, ...up, kills, expectedKills: kills + (progress.refunds ? left.length : 0) };
    }
    const { signal } = await exited(worker);
    if (signal !== "SIGKILL" || crash === undefined)
      throw new Error(`The runtime's process ended by itself (${signal ?? worker.exitCode}).`);
    kills += 1;
    left.shift();
    terminal.step("✗", `killed with SIGKILL ${crash}; starting again`);
  }
}

async function whenUp(worker: ChildProcess): Promise<Up> {
  for await (const line of jsonLines(worker)) return line as unknown as Up;
  throw new UsageError("The runtime could not start; the reason stands above.");
}

const quiet = new Set(["usage.recorded", "session.created", "turn.started", "turn.completed"]);

function note(
  { seq, type, body = {} }: StreamedEvent,
  progress: { last: number; answer: string; refunds: boolean; settled: boolean; failure: string },
  terminal: Terminal,
): void {
  if (seq === undefined) return;
  progress.last = seq;
  if (type === "agent.message") progress.answer = String(body.text);
  if (type === "session.error") progress.failure = String(body.message);
  if (type === "step.started" && body.name === "tool:refund_charge") progress.refunds = true;
  if (type === "session.status_idle" || type === "session.ended") progress.settled = true;
  if (quiet.has(type) || type === "step.completed") return;
  const detail = body.name ?? body.message ?? (body.crashes === undefined ? "" : `after crash ${body.crashes}`);
  terminal.step("›", `${String(seq).padStart(3)} ${type} ${String(detail)}`.trimEnd());
}
