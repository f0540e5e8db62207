/** One side of two processes that call each other by name, with streams that the other side reads piece by piece. */
export type Methods = Readonly<Record<string, (args: never) => Promise<unknown>>>;

export interface Message {
  readonly ask?: number;
  readonly answer?: number;
  readonly method?: string;
  readonly value?: unknown;
  readonly failed?: string;
}

/** A body as it crosses: whole, or to be read from the side that sent it. */
export type SentBody = { readonly bytes: Uint8Array } | { readonly stream: number };

export class Peer {
  readonly #send: (message: Message) => void;
  readonly #methods: Methods;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #offered = new Map<number, ReadableStreamDefaultReader<Uint8Array>>();
  #next = 1;
  #ended: Error | undefined;

  constructor(send: (message: Message) => void, methods: Methods) {
    this.#send = send;
    this.#methods = { ...methods, read: this.#read, drop: this.#drop };
  }

  async call<T>(method: string, value: object): Promise<T> {
    if (this.#ended !== undefined) throw this.#ended;
    const ask = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(ask, { resolve, reject });
    this.#send({ ask, method, value });
    return (await promise) as T;
  }

  /** Takes what the other side has sent. */
  async take({ ask, answer, method = "", value, failed }: Message): Promise<void> {
    if (answer !== undefined) {
      const waiting = this.#waiting.get(answer);
      this.#waiting.delete(answer);
      if (failed === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(failed));
      return;
    }
    try {
      const result = await this.#methods[method]?.(value as never);
      if (ask !== undefined) this.#send({ answer: ask, value: result });
    } catch (error) {
      // What a port's error says stays where it was thrown: it may quote a secret.
      if (ask !== undefined) this.#send({ answer: ask, failed: `${method} failed: ${(error as Error).name}` });
    }
  }

  end(error: Error): void {
    this.#ended = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    for (const reader of this.#offered.values()) reader.cancel(error).catch(() => {});
    this.#offered.clear();
  }

  offer(body: Uint8Array | ReadableStream<Uint8Array>): SentBody {
    if (body instanceof Uint8Array) return { bytes: body };
    const stream = this.#next++;
    this.#offered.set(stream, body.getReader());
    return { stream };
  }

  accept(body: SentBody): Uint8Array | ReadableStream<Uint8Array> {
    if ("bytes" in body) return body.bytes;
    const { stream } = body;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await this.call<Uint8Array | undefined>("read", { stream });
          if (piece === undefined) controller.close();
          else controller.enqueue(piece);
        },
        cancel: () => this.call("drop", { stream }).then(() => {}),
      },
      { highWaterMark: 0 },
    );
  }

  readonly #read = async ({ stream }: { readonly stream: number }): Promise<Uint8Array | undefined> => {
    const piece = await this.#offered.get(stream)?.read();
    if (piece?.value !== undefined) return piece.value;
    this.#offered.delete(stream);
    return undefined;
  };

  readonly #drop = async ({ stream }: { readonly stream: number }): Promise<void> => {
    const reader = this.#offered.get(stream);
    this.#offered.delete(stream);
    await reader?.cancel();
  };
}
