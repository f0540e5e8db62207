import type { TurnInput } from "../agent.ts";
import type { Clock, Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { ApprovalRequest, ChildRequest, OutsideRequest, Session, StepOptions, Usage } from "../session.ts";
import type { HostedChannel } from "./channel.ts";
import { type FromChild, type HostedMethod, hostedMethods, thrown, wireError } from "./protocol.ts";

export interface HostedTurnDeps {
  readonly session: Session;
  readonly channel: HostedChannel;
  readonly clock: Clock;
  /** A child that does not answer a ping for so long is given up. */
  readonly answerWithinMs: number;
}

type Call = Extract<FromChild, { readonly type: "call" }>;

/** One run of one turn in a child: the child calls, and what it does to the session happens here. */
export class HostedTurn {
  readonly #deps: HostedTurnDeps;
  readonly #executing = new Map<number, { resolve(value: Json | undefined): void; reject(error: Error): void }>();
  #answered = true;

  constructor(deps: HostedTurnDeps) {
    this.#deps = deps;
  }

  async run(input: TurnInput): Promise<Json | undefined> {
    const { session, channel } = this.#deps;
    let end: (error: unknown) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    ended.catch(() => {});
    await channel.send({ type: "turn", session: session.id, turn: session.turn, input });
    const over = new AbortController();
    try {
      return await Promise.race([this.#frames(end), ended, this.#pings(over.signal)]);
    } finally {
      over.abort();
    }
  }

  async #frames(end: (error: unknown) => void): Promise<Json | undefined> {
    const { session, channel } = this.#deps;
    for (let frame = await channel.next(); frame !== undefined; frame = await channel.next()) {
      if (frame.type === "done") {
        if (frame.error !== undefined) throw thrown(frame.error);
        return frame.output;
      }
      if (frame.type === "pong") this.#answered = true;
      if (frame.type === "delta") session.delta(frame.step, frame.body);
      if (frame.type === "executed") this.#executed(frame);
      if (frame.type === "call") void this.#call(frame, end);
    }
    const { code, signal, reason } = await channel.child.exit;
    const how = signal === undefined ? `with code ${code ?? "unknown"}` : `by ${signal}`;
    throw channel.failed(`ended ${how} in the middle of its turn${reason === undefined ? "" : ` (${reason})`}`);
  }

  async #pings(signal: AbortSignal): Promise<never> {
    const { channel, clock, answerWithinMs } = this.#deps;
    for (;;) {
      await clock.sleep(answerWithinMs, { signal }).catch(() => new Promise<never>(() => {}));
      if (!this.#answered) throw channel.failed(`has not answered for ${answerWithinMs} ms: it is blocked`);
      this.#answered = false;
      await channel.send({ type: "ping" }).catch(() => {});
    }
  }

  #executed({ id, value, error }: Extract<FromChild, { readonly type: "executed" }>): void {
    const waiting = this.#executing.get(id);
    this.#executing.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(thrown(error));
  }

  /** What ends the run (a wait without a process, a lost claim, an interrupt) goes up; the rest is the child's to handle. */
  async #call({ id, method, args }: Call, end: (error: unknown) => void): Promise<void> {
    const { channel } = this.#deps;
    try {
      if (!hostedMethods.includes(method)) throw new RuntimeError("RUNTIME_INVALID", `There is no ${String(method)}.`);
      const value = await this.#invoke(id, method, args);
      await channel.send({ type: "answer", id, ...(value === undefined ? {} : { value }) });
    } catch (error) {
      const name = error instanceof Error ? error.name : "";
      const { code } = wireError(error);
      if (name === "Suspension" || name === "Interruption" || code === "RUNTIME_FENCED") return end(error);
      await channel.send({ type: "answer", id, error: wireError(error) }).catch(() => {});
    }
  }

  async #invoke(id: number, method: HostedMethod, args: readonly Json[]): Promise<Json | undefined> {
    const { session } = this.#deps;
    const [first = null, second = null] = args;
    const name = String(first);
    switch (method) {
      case "step":
        return session.step(name, (call) => this.#execute(id, call), (second ?? {}) as StepOptions);
      case "sleep":
        return session.sleep(name, Number(second)).then(() => undefined);
      case "waitFor":
        return session.waitFor(name, (second ?? {}) as { readonly timeoutMs?: number });
      case "ask":
        return session.ask(name, second as unknown as ApprovalRequest).then((answer) => ({ ...answer }));
      case "spawn":
        return session.spawn(name, second as unknown as ChildRequest);
      case "join":
        return session.join(name).then((report) => ({ ...report }));
      case "outside":
        return session.outside(name, second as unknown as OutsideRequest);
      case "emit":
        return session.emit(name, second).then(() => undefined);
      case "meter":
        return session.meter(first as unknown as Usage).then(() => undefined);
    }
  }

  #execute(id: number, { idempotencyKey, attempt }: { readonly idempotencyKey: string; readonly attempt: number }) {
    const { channel } = this.#deps;
    return new Promise<Json | undefined>((resolve, reject) => {
      this.#executing.set(id, { resolve, reject });
      void channel.child.exit.then(() => reject(channel.failed("ended in the middle of a step")));
      channel.send({ type: "execute", id, idempotencyKey, attempt }).catch(reject);
    });
  }
}
