import type { TurnInput } from "../agent.ts";
import type { Json } from "../dialect.ts";
import { encodeFrame, FrameDecoder } from "../internal/frames.ts";
import type { ApprovalRequest, ChildReport, ChildRequest, OutsideRequest, StepOptions, Usage } from "../session.ts";
import { type FromChild, type HostedMethod, type ToChild, thrown, wireError } from "./protocol.ts";

/** A session as an agent in a child process sees it. Every call goes to the runtime, which keeps the log. */
export interface HostedSession {
  readonly id: string;
  readonly turn: number;
  step<T extends Json | undefined>(
    name: string,
    body: (call: { readonly idempotencyKey: string; readonly attempt: number }) => Promise<T>,
    options?: Pick<StepOptions, "arguments" | "onUncertain" | "pure">,
  ): Promise<T>;
  sleep(name: string, ms: number): Promise<void>;
  waitFor(name: string, options?: { readonly timeoutMs?: number }): Promise<Json | undefined>;
  ask(name: string, request: ApprovalRequest): Promise<{ readonly allow: boolean; readonly message?: string }>;
  spawn(name: string, child: ChildRequest): Promise<string>;
  join(session: string): Promise<ChildReport>;
  outside(name: string, request: OutsideRequest): Promise<Json>;
  emit(type: string, body?: Json): Promise<void>;
  meter(usage: Usage): Promise<void>;
  delta(step: string, body: Json): void;
}

export interface Channel {
  readonly input: AsyncIterable<Uint8Array>;
  write(frame: Uint8Array): void;
}

interface Pending {
  resolve(value: Json | undefined): void;
  reject(error: Error): void;
}

type StepBody = Parameters<HostedSession["step"]>[1];

/**
 * The child's side of `hostedAgent`: reads the turns of its session from the channel (standard input and output by
 * default), one after the other, until the channel ends. Write nothing else to standard output; standard error is the program's log.
 */
export async function serveHosted(
  run: (session: HostedSession, input: TurnInput) => Promise<Json | undefined> | Promise<void>,
  channel: Channel = { input: process.stdin, write: (frame) => void process.stdout.write(frame) },
): Promise<void> {
  const decoder = new FrameDecoder();
  const pending = new Map<number, Pending>();
  const bodies = new Map<number, StepBody>();
  let calls = 0;
  const send = (frame: FromChild) => channel.write(encodeFrame(frame));
  const call = (method: HostedMethod, args: readonly (Json | undefined)[], body?: StepBody) =>
    new Promise<Json | undefined>((resolve, reject) => {
      const id = ++calls;
      pending.set(id, { resolve, reject });
      if (body !== undefined) bodies.set(id, body);
      send({ type: "call", id, method, args: args.map((arg) => arg ?? null) });
    });
  const session = (id: string, turn: number): HostedSession => ({
    id,
    turn,
    step: (async (name, body, options) => call("step", [name, asJson(options)], body)) as HostedSession["step"],
    sleep: async (name, ms) => void (await call("sleep", [name, ms])),
    waitFor: (name, options) => call("waitFor", [name, asJson(options)]),
    ask: async (name, request) => (await call("ask", [name, asJson(request)])) as unknown as { allow: boolean },
    spawn: async (name, child) => String(await call("spawn", [name, asJson(child)])),
    join: async (id) => (await call("join", [id])) as unknown as ChildReport,
    outside: async (name, request) => (await call("outside", [name, asJson(request)])) ?? null,
    emit: async (type, body) => void (await call("emit", [type, body])),
    meter: async (usage) => void (await call("meter", [asJson(usage)])),
    delta: (step, body) => send({ type: "delta", step, body }),
  });

  for await (const chunk of channel.input) {
    for (const frame of decoder.push(chunk) as Iterable<ToChild>) {
      if (frame.type === "turn") {
        void (async () => run(session(frame.session, frame.turn), frame.input))().then(
          (output) => send({ type: "done", ...(output === undefined ? {} : { output }) }),
          (error) => send({ type: "done", error: wireError(error) }),
        );
      } else if (frame.type === "ping") {
        send({ type: "pong" });
      } else if (frame.type === "execute") {
        const body = bodies.get(frame.id);
        void (async () => body?.(frame))().then(
          (value) => send({ type: "executed", id: frame.id, ...(value === undefined ? {} : { value }) }),
          (error) => send({ type: "executed", id: frame.id, error: wireError(error) }),
        );
      } else {
        const waiting = pending.get(frame.id);
        pending.delete(frame.id);
        bodies.delete(frame.id);
        if (frame.error === undefined) waiting?.resolve(frame.value);
        else waiting?.reject(thrown(frame.error));
      }
    }
  }
}

const asJson = (value: unknown): Json | undefined => value as Json | undefined;
