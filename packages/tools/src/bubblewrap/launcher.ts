import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { ToolsError } from "../errors.ts";

const PROGRAM = new URL("../../src/bubblewrap/launcher.py", import.meta.url);
const LISTENS_MS = 10_000;
/** Where a started program finds the filter. */
export const SECCOMP_FD = 3;

export interface Started {
  /** The program's stdin and stdout. */
  readonly socket: Socket;
  readonly exited: Promise<{ readonly reason: string }>;
  kill(): void;
}

export interface StartRequest {
  readonly id: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Lists of control groups, which the process joins before it executes anything. */
  readonly groups: readonly string[];
  readonly rlimits: Readonly<Record<string, number>>;
  /** Ends the program when its tree is over one of these: a look every 100 ms, for hosts without control groups. */
  readonly watch?: { readonly memoryBytes: number; readonly processes: number } | undefined;
  /** User and group to become; undefined keeps one's own. */
  readonly user: number | undefined;
  /** To be read on `SECCOMP_FD`. */
  readonly filter: Buffer | undefined;
}

/**
 * A small process beside this one that starts sandboxes: forking Node itself costs milliseconds and holds its event
 * loop. Sandboxes end with it, and it ends with this process.
 */
export class Launcher {
  readonly #path: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (reason: string) => void>();
  #ended: string | undefined;

  private constructor(path: string, child: ChildProcess, events: Readable) {
    this.#path = path;
    this.#child = child;
    child.once("close", () => this.#lost("the launcher has ended"));
    child.once("error", ({ message }) => this.#lost(message));
    child.stdin?.on("error", () => {});
    createInterface({ input: events }).on("line", (line) => {
      const { id, ended }: { id?: string; ended?: string } = JSON.parse(line);
      if (id === undefined || ended === undefined) return;
      this.#settle(id, ended);
    });
  }

  static async start(python: string, path: string): Promise<Launcher> {
    const words = ["-I", "-S", "-c", readFileSync(PROGRAM, "utf8"), path];
    const child = spawn(python, words, { env: {}, stdio: ["pipe", "pipe", "pipe"], cwd: "/" });
    let log = "";
    child.stderr.on("data", (piece: Buffer) => {
      log = `${log}${piece}`.slice(0, 500);
    });
    const launcher = new Launcher(path, child, child.stdout);
    const listens = Promise.withResolvers<void>();
    const failed = () => listens.reject(new ToolsError("TOOLS_BACKEND_FAILED", `The launcher did not start. ${log}`));
    const late = setTimeout(failed, LISTENS_MS);
    child.once("close", failed).once("error", failed);
    child.stdout.once("data", () => listens.resolve());
    try {
      await listens.promise;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    } finally {
      clearTimeout(late);
    }
    launcher.#hold(false);
    return launcher;
  }

  start({ filter, user, ...request }: StartRequest): Started {
    const exited = new Promise<{ readonly reason: string }>((resolve) => {
      if (this.#ended !== undefined) resolve({ reason: this.#ended });
      else this.#waiting.set(request.id, (reason) => resolve({ reason }));
    });
    this.#hold(true);
    const body = Buffer.from(JSON.stringify({ ...request, user: user ?? 0, filter: filter?.toString("hex") ?? "" }));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    const socket = connect(this.#path);
    socket.on("error", ({ message }) => {
      if (socket.pending) this.#settle(request.id, message);
    });
    socket.write(Buffer.concat([head, body]));
    void exited.then(() => socket.destroySoon());
    return {
      socket,
      exited,
      kill: () => void this.#child.stdin?.write(`${JSON.stringify({ kill: request.id })}\n`),
    };
  }

  close(): void {
    this.#child.stdin?.end();
  }

  #settle(id: string, reason: string): void {
    this.#waiting.get(id)?.(reason);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#hold(false);
  }

  #lost(reason: string): void {
    this.#ended = reason;
    for (const resolve of this.#waiting.values()) resolve(reason);
    this.#waiting.clear();
  }

  /** Whether it keeps this process alive: only while sandboxes do. */
  #hold(held: boolean): void {
    const { stdin, stdout, stderr } = this.#child as { stdin: Writable; stdout: Readable; stderr: Readable };
    for (const each of [this.#child, stdin, stdout, stderr] as readonly { ref?(): void; unref?(): void }[]) {
      if (held) each.ref?.();
      else each.unref?.();
    }
  }
}
