/** The main job: one support ticket through all six blocks, with the runtime killed three times on the way. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Check, checkRefunds, checkReply, checkSecret, filesOf } from "./checks.ts";
import { crashPoints, type WorkerConfig, workersOf } from "./config.ts";
import { tracedByDesk } from "./desk-trace.ts";
import { chooseModel } from "./model.ts";
import { type Options, readOptions, UsageError, usage } from "./options.ts";
import { startTickets, stop } from "./processes.ts";
import { resolveTicket } from "./resolve.ts";
import { startPostgres, startRedis, storedBy } from "./servers.ts";
import { setUp } from "./setup.ts";
import { printSession } from "./story.ts";
import { Terminal } from "./terminal.ts";

const terminal = new Terminal({ colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined });
const closing: (() => unknown)[] = [];

try {
  if (process.argv.includes("--help")) terminal.line(usage);
  else process.exitCode = (await run(readOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  const known = error instanceof UsageError || typeof (error as { kind?: unknown }).kind === "string";
  console.error(known ? `\n${(error as Error).message}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
} finally {
  for (const close of closing.toReversed()) await close();
}

async function run(options: Options): Promise<boolean> {
  const startedAt = Date.now();
  const data = await dataFolder(options.data);
  const secret = `tkt_${randomBytes(24).toString("base64url")}`;
  const control = `control-${randomBytes(9).toString("hex")}`;

  const tickets = await startTickets(join(data, "tickets.db"), secret);
  closing.push(() => stop(tickets.process));
  const model = await chooseModel(process.env);
  closing.push(model.close);
  const listener = await listen();
  closing.push(listener.close);

  const { close: _, ...choice } = model;
  const config: WorkerConfig = {
    ...{ data, control, model: choice, port: options.port, listener: listener.port },
    keyFile: options.keyFile ?? join(data, "vault.key"),
    tickets: tickets.url,
    ...(await stores(options, data)),
    crashes: options.crashes ? crashPoints : [],
    idempotencyKeys: options.idempotencyKeys,
  };
  terminal.title(`Ticket ${options.ticket}`);
  terminal.step(
    "·",
    `model: ${model.provider === "scripted" ? "scripted model (no key in the environment)" : `${model.provider} ${model.model}`}`,
  );
  terminal.step(
    "·",
    `memory: ${config.memory.kind}; sessions: ${config.sessions.kind}, workers: ${workersOf(config)}; control of the search: ${control}`,
  );

  const token = await setUp(config, secret);
  const { ticket } = options;
  const outcome = await tracedByDesk(config, ticket, () =>
    resolveTicket({
      ...{ config, token, terminal, control, ticket },
      environment: process.env,
    }),
  );

  terminal.title("Answer to the customer");
  terminal.line(`  ${outcome.answer || "none"}`);
  await printSession(config, outcome.session, terminal);

  const database = join(data, "tickets.db");
  const checks: readonly Check[] = [
    checkRefunds(database, options.ticket),
    checkReply(database, options.ticket, outcome.answer),
    await checkSecret([...(await filesOf(data)), await storedBy(config.sessions)], terminal.printed, {
      secret,
      control,
    }),
    {
      name: `the sandbox (${outcome.backend}, grade ${outcome.grade}) reaches no listener of the host`,
      holds: !outcome.reached && (await listener.reachable()),
      found: `sandbox: ${outcome.reached ? "reached" : "refused"}; host: reached`,
    },
    {
      name: `the runtime was killed ${outcome.expectedKills} times`,
      holds: outcome.kills === outcome.expectedKills,
      found: `${outcome.kills}`,
    },
    {
      name: "each that was killed handed its session to another",
      holds: outcome.ran.length > outcome.kills && outcome.ran.every((name, at, all) => name !== all[at - 1]),
      found: outcome.ran.join(", "),
    },
  ];
  terminal.title("Checks");
  for (const { name, holds, found } of checks) terminal.step(holds ? "✓" : "✗", `${name} (${found})`);
  const holds = checks.every((check) => check.holds);
  terminal.line(`\n${holds ? "All hold" : "NOT all hold"} after ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
  return holds;
}

async function dataFolder(named: string | undefined): Promise<string> {
  if (named === undefined) {
    const folder = await mkdtemp(join(tmpdir(), "ashlar-ticket-"));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }
  try {
    await mkdir(named).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
    return await mkdtemp(join(named, "run-"));
  } catch (error) {
    throw new UsageError(
      `The data folder ${named} cannot be written (${(error as NodeJS.ErrnoException).code}): name another with --data.`,
    );
  }
}

/** The servers that were asked for: those that the environment names, else private ones. */
async function stores({ memory, profile }: Options, data: string): Promise<Pick<WorkerConfig, "memory" | "sessions">> {
  const needsRedis = memory === "redis" || profile === "redis";
  const redis = needsRedis ? (process.env.REDIS_URL ?? (await closedLast(startRedis(data)))) : "";
  const postgres = profile === "postgres" ? (process.env.POSTGRES_URL ?? (await closedLast(startPostgres()))) : "";
  return {
    memory: memory === "redis" ? { kind: "redis", url: redis } : { kind: "sqlite" },
    sessions:
      profile === "sqlite" ? { kind: "sqlite" } : { kind: profile, url: profile === "redis" ? redis : postgres },
  };
}

async function closedLast(starting: Promise<{ readonly url: string; stop(): Promise<void> }>): Promise<string> {
  const { url, stop } = await starting;
  closing.push(stop);
  return url;
}

/** A server on the host: what the sandbox must not reach, and the host does. */
async function listen(): Promise<{ readonly port: number; reachable(): Promise<boolean>; close(): void }> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const { connect } = await import("node:net");
  return {
    port,
    reachable: () =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
        socket.once("connect", () => socket.destroy());
      }),
    close: () => server.close(),
  };
}
