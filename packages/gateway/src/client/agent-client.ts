import { defaultConventions } from "../agents/conventions.ts";
import type {
  AgentPage,
  InvokeBody,
  Invoked,
  MessageBody,
  OpenBody,
  Opened,
  Sent,
  StopBody,
  StreamedEvent,
} from "../agents/schemas.ts";
import { type Clock, type Json, systemClock } from "../dialect.ts";
import { readSse } from "../http/sse.ts";
import { AgentClientError, refused } from "./errors.ts";

export interface AgentClientOptions {
  /** Of the gateway, as far as `/agents`: `https://gateway.example/agents`. */
  readonly url: string;
  /** Asked before each request, so that a token can be renewed. */
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  readonly fetch?: typeof fetch;
  /** How often a stream that broke is taken up again before its error is given. Default 5. */
  readonly resumes?: number;
  /** Events after which the agent is done with an input, as the gateway's conventions have them. */
  readonly settled?: readonly string[];
  readonly clock?: Clock;
}

interface CallOptions {
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

type Ask = (method: "GET" | "POST", path: string, body?: object, options?: CallOptions & Extra) => Promise<Response>;
interface Extra {
  readonly lastEventId?: string | undefined;
}

interface Settings {
  readonly ask: Ask;
  readonly resumes: number;
  readonly settled: readonly string[];
  readonly clock: Clock;
}

interface Following extends CallOptions {
  readonly after?: string | undefined;
  readonly deltas?: boolean;
  /** A stream that must end with an event that `done` is true for is taken up again when it just ends. */
  readonly until?: "done";
  readonly done?: (event: StreamedEvent) => boolean;
}

/** The agents behind a gateway. Types are those of the gateway's own schemas; runs wherever `fetch` does. */
export class AgentClient {
  readonly #settings: Settings;

  constructor({
    url,
    headers = () => ({}),
    fetch: send = fetch,
    resumes = 5,
    settled = defaultConventions.settled,
    clock = systemClock,
  }: AgentClientOptions) {
    const base = url.replace(/\/$/, "");
    const ask: Ask = async (method, path, body, { idempotencyKey, signal, lastEventId } = {}) => {
      const response = await send(base + path, {
        method,
        headers: {
          ...(await headers()),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
          ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
      if (!response.ok) throw await refused(response);
      return response;
    };
    this.#settings = { ask, resumes, settled, clock };
  }

  async list({ cursor, signal }: { readonly cursor?: string; readonly signal?: AbortSignal } = {}): Promise<AgentPage> {
    const query = cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    return answer(this.#settings.ask("GET", query, undefined, signal === undefined ? {} : { signal }));
  }

  /** `Input` and `Output` are the agent's own; the gateway does not check them unless the agent does. */
  agent<Input = Json, Output = Json>(name: string): AgentHandle<Input, Output> {
    return new AgentHandle(this.#settings, `/${encodeURIComponent(name)}`);
  }
}

export class AgentHandle<Input = Json, Output = Json> {
  readonly #settings: Settings;
  readonly #path: string;

  /** @internal */
  constructor(settings: Settings, path: string) {
    this.#settings = settings;
    this.#path = path;
  }

  invoke(
    input: Input,
    { signal, idempotencyKey, ...body }: Omit<InvokeBody, "input"> & CallOptions = {},
  ): Promise<Omit<Invoked, "output"> & { readonly output: Output }> {
    return answer(
      this.#settings.ask("POST", `${this.#path}/invoke`, { input, ...body }, given({ signal, idempotencyKey })),
    );
  }

  /** What happens until the agent is done with the input; a connection that breaks is taken up where it was. */
  async *stream(
    input: Input,
    { signal, idempotencyKey, ...body }: Omit<InvokeBody, "input"> & CallOptions = {},
  ): AsyncGenerator<StreamedEvent> {
    const options = given({ signal, idempotencyKey });
    const response = await this.#settings.ask("POST", `${this.#path}/stream`, { input, ...body }, options);
    const after = new URL(response.headers.get("location") ?? "", "http://gateway").searchParams.get("after");
    yield* this.session(response.headers.get("ashlar-session") ?? "").follow(response, {
      ...options,
      after: after ?? undefined,
      until: "done",
      done: ({ seq, type }) => seq !== undefined && this.#settings.settled.includes(type),
    });
  }

  async open(body: OpenBody = {}, options: CallOptions = {}): Promise<SessionHandle> {
    const { id } = await answer<Opened>(this.#settings.ask("POST", `${this.#path}/sessions`, body, options));
    return this.session(id);
  }

  session(id: string): SessionHandle {
    return new SessionHandle(this.#settings, `${this.#path}/sessions/${encodeURIComponent(id)}`, id);
  }
}

export class SessionHandle {
  readonly id: string;
  readonly #settings: Settings;
  readonly #path: string;

  /** @internal */
  constructor(settings: Settings, path: string, id: string) {
    this.id = id;
    this.#settings = settings;
    this.#path = path;
  }

  send(message: MessageBody, options: CallOptions = {}): Promise<Sent> {
    return answer(this.#settings.ask("POST", `${this.#path}/messages`, message, options));
  }

  async interrupt(options: CallOptions = {}): Promise<void> {
    await this.#settings.ask("POST", `${this.#path}/interrupt`, undefined, options);
  }

  async stop(body: StopBody = {}, options: CallOptions = {}): Promise<void> {
    await this.#settings.ask("POST", `${this.#path}/stop`, body, options);
  }

  /** Everything after `after`, then what comes, until the session ends or the loop is left. */
  async *events({
    after,
    deltas = true,
    signal,
  }: {
    readonly after?: number;
    readonly deltas?: boolean;
    readonly signal?: AbortSignal;
  } = {}): AsyncGenerator<StreamedEvent> {
    const last = after === undefined ? undefined : String(after);
    const options = given({ signal });
    yield* this.follow(await this.#events(last, deltas, options), { ...options, after: last, deltas });
  }

  /** @internal Reads a stream, and takes it up again where it broke; ends after an event that `done` is true for. */
  async *follow(
    first: Response,
    { after, deltas = true, done = () => false, ...options }: Following,
  ): AsyncGenerator<StreamedEvent> {
    let response = first;
    let last = after;
    for (let breaks = 0; ; ) {
      try {
        for await (const { event, id, data } of readSse(response.body ?? new ReadableStream())) {
          if (event === "error") throw await refused(Response.json(JSON.parse(data), { status: 503 }));
          if (id !== undefined) breaks = 0;
          last = id ?? last;
          const happened = JSON.parse(data) as StreamedEvent;
          yield happened;
          if (done(happened)) return;
        }
        if (options.until !== "done") return;
        throw new TypeError("The stream ended before the agent was done.");
      } catch (error) {
        const broke = error instanceof TypeError || (error instanceof AgentClientError && error.retryable);
        if (!broke || options.signal?.aborted || ++breaks > this.#settings.resumes) throw error;
        await this.#settings.clock.sleep(250 * breaks, given(options));
        response = await this.#events(last, deltas, given(options));
      }
    }
  }

  #events(lastEventId: string | undefined, deltas: boolean, options: CallOptions): Promise<Response> {
    return this.#settings.ask("GET", `${this.#path}/events?deltas=${deltas}`, undefined, { ...options, lastEventId });
  }
}

async function answer<T>(response: Promise<Response>): Promise<T> {
  return (await response).json() as Promise<T>;
}

function given({
  signal,
  idempotencyKey,
}: {
  readonly signal?: AbortSignal | undefined;
  readonly idempotencyKey?: string | undefined;
}): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}
