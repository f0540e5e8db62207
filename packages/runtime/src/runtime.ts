import { Admission, type AdmissionPolicy } from "./admission.ts";
import type { Agent } from "./agent.ts";
import type { AgentSource } from "./agent-source.ts";
import { type Clock, type IdSource, type Redactor, systemClock, systemIds } from "./dialect.ts";
import { Agents } from "./engine/agents.ts";
import { Journal } from "./engine/journal.ts";
import { Outward } from "./engine/outward.ts";
import { ownerName } from "./engine/owner.ts";
import { Worker } from "./engine/worker.ts";
import { InMemoryLiveBus } from "./in-memory/index.ts";
import type { LiveBus } from "./live-bus.ts";
import { OutsideWork } from "./outside-work.ts";
import type { SessionLog } from "./session-log.ts";
import { SessionRecords } from "./session-records.ts";
import { Sessions } from "./sessions.ts";
import type { WorkQueue } from "./work-queue.ts";

export interface RuntimeDeps {
  readonly log: SessionLog;
  readonly queue: WorkQueue;
  /** Default: within this process. */
  readonly live?: LiveBus;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Runs over every event before it is appended. */
  readonly redactor?: Redactor;
  /** Defined in code, for every tenant. */
  readonly agents?: readonly Agent[];
  /** Agents that can be changed while this runs: `AgentCatalog`. */
  readonly agentSource?: AgentSource;
  /** What this machine has, for agents that require it: `["gpu:a100"]`. */
  readonly labels?: readonly string[];
  readonly admission?: AdmissionPolicy;
  /** Sessions that run at once in this process. Default 16. */
  readonly concurrency?: number;
  /** A worker that is silent for so long loses its sessions. Default 15 s. */
  readonly leaseMs?: number;
  /** Default 1 s. */
  readonly sweepMs?: number;
  /** A turn whose process died this often is parked. Default 5. */
  readonly maxCrashes?: number;
  /** What goes wrong outside of any session. Default: a process warning. */
  readonly onError?: (error: unknown) => void;
}

/** Durable sessions of agents: `sessions` for callers, `records` for readers, `start` for the process that works. */
export class Runtime implements AsyncDisposable {
  readonly sessions: Sessions;
  readonly records: SessionRecords;
  /** For workers outside: what sessions gave them with `session.outside`. */
  readonly work: OutsideWork;
  readonly #agents: Agents;
  readonly #worker: Worker;

  constructor({
    log,
    queue,
    clock = systemClock,
    ids = systemIds,
    live = new InMemoryLiveBus(),
    redactor,
    agents = [],
    agentSource,
    labels = [],
    admission = {},
    concurrency = 16,
    leaseMs = 15_000,
    sweepMs = 1_000,
    maxCrashes = 5,
    onError = warn,
  }: RuntimeDeps) {
    const journal = new Journal({ log, live, clock, ids, redactor });
    this.#agents = new Agents({ source: agentSource });
    const shared = { log, queue, journal, live, clock, ids, agents: this.#agents };
    const outward = new Outward(shared);
    this.sessions = new Sessions({ ...shared, outward });
    this.work = new OutsideWork({ log, queue, outward, clock, ids });
    this.records = new SessionRecords({ log });
    this.#worker = new Worker({
      ...{ ...shared, outward, concurrency, leaseMs, sweepMs, maxCrashes, onError },
      owner: ownerName(ids),
      admission: new Admission({ labels, policy: admission }),
    });
    for (const agent of agents) this.define(agent);
  }

  /** Makes an agent known to this process. A version never changes: define a new one. */
  define(agent: Agent): void {
    this.#agents.define(agent);
  }

  /** Begins to take sessions from the queue. */
  start(): Promise<void> {
    return this.#worker.start();
  }

  /** Hands the sessions under way to other workers, or to the next start. Stores are closed by who made them. */
  async close(): Promise<void> {
    await this.#worker.drain();
    await this.#agents.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error.message : String(error), { code: "ASHLAR_RUNTIME_WORKER" });
}
