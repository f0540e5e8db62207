import type { LanguageModel } from "ai";
import type { TurnInput } from "../agent.ts";
import type { Json } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { Session } from "../session.ts";
import { Conversation } from "./conversation.ts";
import type { LoopAgentOptions } from "./loop-agent.ts";
import { callModel, type ModelReply, retryModel } from "./model-call.ts";
import { GRADER, gradeOf, outcomeOf, toJudge } from "./outcome.ts";
import { recalled, remember } from "./remembering.ts";
import { textOf } from "./text-of.ts";
import { Toolbox } from "./toolbox.ts";

const SUMMARISER = `Summarise the conversation for whoever goes on with it in your place: what was asked, what was done
and found out with its exact names and numbers, what is still open. Leave nothing out that is still needed.`;

/** One turn of the loop: the model calls tools until it answers, and answers until the outcome is reached. */
export class LoopTurn {
  readonly #options: LoopAgentOptions;
  readonly #session: Session;
  readonly #toolbox: Toolbox;
  readonly #conversation: Conversation;
  readonly #asked: string;
  readonly #system: string;

  private constructor(
    options: LoopAgentOptions,
    session: Session,
    parts: { toolbox: Toolbox; conversation: Conversation; asked: string; system: string },
  ) {
    this.#options = options;
    this.#session = session;
    this.#toolbox = parts.toolbox;
    this.#conversation = parts.conversation;
    this.#asked = parts.asked;
    this.#system = parts.system;
  }

  static async open(options: LoopAgentOptions, session: Session, input: TurnInput): Promise<LoopTurn> {
    const asked = textOf(input.body);
    const toolbox = await Toolbox.open(session, options);
    const conversation = await Conversation.of(session, asked);
    const system = `${options.system}${await recalled(session, options.memory, asked)}`;
    return new LoopTurn(options, session, { toolbox, conversation, asked, system });
  }

  async run(input: TurnInput): Promise<Json> {
    const { memory } = this.#options;
    const outcome = outcomeOf(input, this.#options.outcome);
    const most = Math.max(1, outcome?.maxIterations ?? 3);
    for (let iteration = 1; ; iteration++) {
      const text = await this.#answer();
      await this.#session.emit("agent.message", { text });
      const grade = outcome === undefined ? undefined : await this.#graded(toJudge(this.#asked, outcome, text));
      if (grade !== undefined) {
        const last = grade.result === "needs_revision" && iteration >= most;
        await this.#session.emit("outcome.evaluated", {
          ...{ iteration, feedback: grade.feedback },
          result: last ? "max_iterations_reached" : grade.result,
        });
        if (grade.result === "needs_revision" && !last) {
          this.#conversation.addUser(grade.feedback);
          continue;
        }
      }
      await remember(this.#session, memory, { asked: this.#asked, answered: text, at: input.at });
      return { text, ...(grade === undefined ? {} : { outcome: grade.result }) };
    }
  }

  /** Calls the model, and the tools that it wants, until it wants none. */
  async #answer(): Promise<string> {
    const { model, maxIterations = 50 } = this.#options;
    for (let iteration = 0; iteration < maxIterations; iteration++) {
      await this.#makeRoom();
      const reply = await this.#model("model", model, {
        system: this.#system,
        messages: this.#conversation.messages,
        tools: this.#toolbox.forModel(),
      });
      this.#conversation.addReply(reply);
      if (reply.calls.length === 0) return reply.text;
      for (const call of reply.calls) this.#conversation.addResult(call, await this.#toolbox.call(call));
    }
    throw new RuntimeError(
      "RUNTIME_LIMITED",
      `The model called tools ${maxIterations} times without an answer: raise maxIterations or look at its turns.`,
    );
  }

  async #makeRoom(): Promise<void> {
    const { compaction, model } = this.#options;
    if (compaction === undefined || this.#conversation.tokens < compaction.atTokens) return;
    const { tokens, messages } = this.#conversation;
    const reply = await this.#model("compact", compaction.model ?? model, {
      system: SUMMARISER,
      messages: [...messages, { role: "user", content: "Summarise all of this now." }],
      tools: {},
    });
    await this.#session.emit("context.compacted", { summary: reply.text, messages: messages.length, tokens });
    this.#conversation.compact(reply.text);
  }

  async #graded(content: string): Promise<ReturnType<typeof gradeOf>> {
    const judge = this.#options.grader ?? this.#options.model;
    const reply = await this.#model("grade", judge, {
      system: GRADER,
      messages: [{ role: "user", content }],
      tools: {},
    });
    return gradeOf(reply.text);
  }

  async #model(
    step: string,
    model: LanguageModel,
    call: Pick<Parameters<typeof callModel>[0], "system" | "messages" | "tools">,
  ): Promise<ModelReply> {
    const session = this.#session;
    const delta = (piece: Json) => session.delta(step, piece);
    const reply = await session.step(step, ({ signal }) => callModel({ model, ...call, signal, delta }), {
      pure: true,
      retry: retryModel,
    });
    const price = this.#options.pricing?.price(reply.model, reply.usage);
    await session.meter({
      ...{ model: reply.model, ...reply.usage },
      ...(price === undefined ? {} : { costMicros: price.micros, currency: price.currency }),
    });
    return reply;
  }
}
