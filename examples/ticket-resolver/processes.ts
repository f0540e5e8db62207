import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { UsageError } from "./options.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A TypeScript file beside this one in a process of its own, with just this environment. */
export function startScript(file: string, environment: Readonly<Record<string, string | undefined>>): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return spawn(process.execPath, ["--conditions=@ashlar/source", path], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Each line of JSON that the process prints; ends when its output does. */
export async function* jsonLines(child: ChildProcess): AsyncGenerator<Record<string, unknown>> {
  if (child.stdout === null) return;
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
}

export async function exited(child: ChildProcess): Promise<Exit> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return { code: child.exitCode, signal: child.signalCode };
}

export async function stop(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await exited(child);
}

/** The company's ticket system, in its own process; its URL once it listens. */
export async function startTickets(database: string, token: string): Promise<{ url: string; process: ChildProcess }> {
  const child = startScript("tickets/server.ts", { DATABASE: database, TICKETS_TOKEN: token });
  for await (const { url } of jsonLines(child)) return { url: String(url), process: child };
  throw new UsageError("The tickets server ended before it listened; its message stands above.");
}

/** Where a program lies on PATH; its bare name when it does not. */
export function onPath(program: string): string {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path)) ?? program;
}
