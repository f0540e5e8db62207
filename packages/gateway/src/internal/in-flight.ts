import { GatewayError } from "../errors.ts";

/** Counts calls until their last byte has been read, so that a server can end without cutting one. */
export class InFlight {
  readonly #ending = new AbortController();
  readonly #leaving = new AbortController();
  #calls = 0;
  #draining = false;
  #idle: (() => void) | undefined;

  get draining(): boolean {
    return this.#draining;
  }

  /** Aborted when draining begins. */
  get leaving(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Throws once draining began. */
  admit(): void {
    if (!this.#draining) return;
    throw new GatewayError("GATEWAY_DRAINING", "The gateway is shutting down.", { retryAfterMs: 1000 });
  }

  /** For what is no response, until `body` ends. */
  async hold(body: () => Promise<void>): Promise<void> {
    this.#calls += 1;
    try {
      await body();
    } finally {
      this.#leave();
    }
  }

  async run(request: Request, body: (signal: AbortSignal) => Promise<Response>): Promise<Response> {
    this.admit();
    this.#calls += 1;
    let response: Response;
    try {
      response = await body(request.signal);
    } catch (error) {
      this.#leave();
      throw error;
    }
    const streamed = response.headers.get("content-type") === "text/event-stream";
    if (!streamed || response.body === null) {
      this.#leave();
      return response;
    }
    return new Response(this.#followed(response.body), response);
  }

  async drain({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#draining = true;
    this.#leaving.abort();
    if (this.#calls === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      signal?.addEventListener("abort", () => resolve(), { once: true });
      if (signal?.aborted) resolve();
    });
    this.#ending.abort();
  }

  #leave(): void {
    this.#calls -= 1;
    if (this.#calls === 0) this.#idle?.();
  }

  /** Ends with its source, its reader or the drain's patience, whichever is first. */
  #followed(source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = source.getReader();
    const ending = this.#ending.signal;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      ending.removeEventListener("abort", cut);
      this.#leave();
    };
    const cut = () => void reader.cancel().catch(() => {});
    ending.addEventListener("abort", cut, { once: true });
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const { done, value } = await reader.read();
            if (!done) return controller.enqueue(value);
            leave();
            controller.close();
          } catch (error) {
            leave();
            controller.error(error);
          }
        },
        async cancel(reason) {
          leave();
          await reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }
}
