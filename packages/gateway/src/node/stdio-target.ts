import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { CallContext, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { LEGACY_VERSIONS, META, type RpcMessage } from "../mcp/protocol.ts";
import { asked } from "../mcp/spans.ts";
import type { Target } from "../target.ts";
import type { ToolDescription, ToolResult } from "../tool-source.ts";

export interface StdioTargetOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** All of the server's environment: nothing of this process's own is passed on. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
}

interface Waiting {
  resolve(message: RpcMessage): void;
  reject(error: Error): void;
}

const MAX_LINE_CHARS = 16 * 1024 * 1024;

/**
 * An MCP server as a child process, started by the first call and again after it ended. It is one process for all
 * principals and runs with the rights of this one: put it in a sandbox where that is too much.
 */
export const stdioTarget = (options: StdioTargetOptions): Target => new StdioTarget(options);

class StdioTarget implements Target {
  readonly name: string;
  readonly #options: StdioTargetOptions;
  readonly #waiting = new Map<number, Waiting>();
  #starting: Promise<ChildProcess> | undefined;
  #nextId = 1;

  constructor(options: StdioTargetOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async list(context: CallContext): Promise<readonly ToolDescription[]> {
    const tools: ToolDescription[] = [];
    let cursor: Json | undefined;
    do {
      const result = await this.#request(context, "tools/list", cursor === undefined ? {} : { cursor });
      tools.push(...((result.tools ?? []) as unknown as ToolDescription[]));
      cursor = result.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return tools;
  }

  async call(context: CallContext, name: string, args: Json): Promise<ToolResult> {
    const { idempotencyKey } = context;
    const result = await this.#request(context, "tools/call", {
      name,
      arguments: args,
      ...(idempotencyKey === undefined ? {} : { _meta: { [META.idempotencyKey]: idempotencyKey } }),
    });
    return result as unknown as ToolResult;
  }

  async close(): Promise<void> {
    const child = await this.#starting?.catch(() => undefined);
    this.#starting = undefined;
    child?.kill("SIGKILL");
  }

  #request(
    context: CallContext,
    method: string,
    params: { readonly [key: string]: Json },
  ): Promise<{ readonly [key: string]: Json }> {
    return asked(method, params, (sent) => this.#asked(context, method, sent));
  }

  async #asked(
    context: CallContext,
    method: string,
    params: { readonly [key: string]: Json },
  ): Promise<{ readonly [key: string]: Json }> {
    context.signal?.throwIfAborted();
    this.#starting ??= this.#start();
    const child = await this.#starting;
    const answer = await this.#exchange(child, method, params, context.signal);
    if (answer.error !== undefined) {
      const invalid = answer.error.code === -32602 || answer.error.code === -32601;
      throw new GatewayError(
        invalid ? "GATEWAY_INVALID" : "GATEWAY_TARGET_FAILED",
        `Target ${this.name}: ${answer.error.message}`,
      );
    }
    return answer.result ?? {};
  }

  async #start(): Promise<ChildProcess> {
    const { command, environment = {}, folder } = this.#options;
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      env: { ...environment },
      stdio: ["pipe", "pipe", "ignore"],
      ...(folder === undefined ? {} : { cwd: folder }),
    });
    const ended = (why: string) => {
      this.#starting = undefined;
      const error = new GatewayError("GATEWAY_TARGET_UNAVAILABLE", `Target ${this.name} ${why}.`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    child.once("error", () => ended("could not be started"));
    child.once("exit", (code, signal) => ended(`ended (${signal ?? code})`));
    child.stdin.on("error", () => {});
    createInterface({ input: child.stdout }).on("line", (line) => this.#receive(child, line));
    const answer = await this.#exchange(child, "initialize", {
      protocolVersion: LEGACY_VERSIONS[0] ?? "",
      capabilities: {},
      clientInfo: { name: "ashlar-gateway", version: "1" },
    });
    if (answer.error !== undefined || !LEGACY_VERSIONS.includes(String(answer.result?.protocolVersion))) {
      child.kill("SIGKILL");
      throw new GatewayError("GATEWAY_TARGET_FAILED", `Target ${this.name} speaks no MCP revision that is known here.`);
    }
    write(child, { jsonrpc: "2.0", method: "notifications/initialized" });
    return child;
  }

  #exchange(
    child: ChildProcess,
    method: string,
    params: { readonly [key: string]: Json },
    signal?: AbortSignal,
  ): Promise<RpcMessage> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const cancelled = () => {
        this.#waiting.delete(id);
        write(child, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
        reject(new GatewayError("GATEWAY_CANCELLED", `The call to ${this.name} was cancelled.`));
      };
      const settled =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener("abort", cancelled);
          then(value);
        };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      signal?.addEventListener("abort", cancelled, { once: true });
      write(child, { jsonrpc: "2.0", id, method, params });
    });
  }

  #receive(child: ChildProcess, line: string): void {
    if (line.length > MAX_LINE_CHARS) {
      child.kill("SIGKILL");
      return;
    }
    let message: RpcMessage;
    try {
      message = JSON.parse(line) as RpcMessage;
    } catch {
      return;
    }
    if (message.method !== undefined && message.id !== undefined) {
      write(child, { jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "Method not found" } });
      return;
    }
    const waiting = this.#waiting.get(Number(message.id));
    this.#waiting.delete(Number(message.id));
    waiting?.resolve(message);
  }
}

function write(child: ChildProcess, message: RpcMessage): void {
  child.stdin?.write(`${JSON.stringify(message)}\n`);
}
