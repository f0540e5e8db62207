import type { WorkerConfig } from "./config.ts";
import { Desk, type StreamedEvent } from "./desk.ts";
import { Fleet, type Up } from "./fleet.ts";
import { UsageError } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface Outcome {
  readonly session: string;
  readonly answer: string;
  readonly backend: string;
  readonly grade: string;
  readonly reached: boolean;
  readonly kills: number;
  readonly expectedKills: number;
  /** Who ran the session, in order, and whether none of them took over from itself. */
  readonly ran: readonly string[];
}

interface Job {
  readonly config: WorkerConfig;
  readonly token: string;
  readonly ticket: string;
  readonly control: string;
  readonly terminal: Terminal;
  readonly environment: NodeJS.ProcessEnv;
}

/** Starts the runtime's processes, asks them to resolve the ticket, and replaces each that is killed. */
export async function resolveTicket({ config, token, ticket, control, terminal, environment }: Job): Promise<Outcome> {
  const desk = new Desk({ token });
  const progress = { last: 0, answer: "", refunds: false, settled: false, failure: "" };
  const fleet = new Fleet(config, environment, (name) => {
    const point = config.crashes[fleet.killed.length - 1] ?? "";
    terminal.step(
      "✗",
      `${name} killed with SIGKILL ${point}; its session goes to whoever is there, and a new one starts`,
    );
  });
  try {
    const up = await fleet.front();
    tell(up, terminal);
    const session = await desk.open(up.url, ticket);
    await desk.ask(up.url, session, `Resolve ticket ${ticket}. Reference: ${control}.`, `ask ${ticket}`);
    while (!progress.settled) {
      const { url, gone } = await fleet.front();
      try {
        for await (const event of desk.events(url, session, progress.last)) {
          note(event, progress, terminal);
          if (progress.settled) break;
        }
      } catch {
        // The stream broke with its process: the loop goes on from the last event that was seen.
      }
      if (!progress.settled) await gone;
    }
    if (progress.failure !== "") throw new UsageError(`The ticket was not resolved: ${progress.failure}`);
    const kills = fleet.killed.length;
    return {
      session,
      ...progress,
      ...up,
      kills,
      expectedKills: progress.refunds ? config.crashes.length : 0,
      ran: fleet.ran,
    };
  } finally {
    await fleet.stop();
  }
}

function tell({ backend, grade, missing }: Up, terminal: Terminal): void {
  terminal.step("·", `sandbox: ${backend}, grade ${grade}`);
  for (const { name, reason } of missing) terminal.step("·", `not offered here: ${name} (${reason})`);
  terminal.title("Progress");
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
