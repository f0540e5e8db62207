import { context, propagation } from "@opentelemetry/api";
import { AGENT } from "./config.ts";

export interface StreamedEvent {
  readonly seq?: number;
  readonly type: string;
  readonly body?: { readonly [key: string]: unknown };
}

/** The support desk's side: it knows an address and a token, and talks HTTP to the gateway. */
export class Desk {
  readonly #token: string;

  constructor({ token }: { readonly token: string }) {
    this.#token = token;
  }

  async open(url: string, ticket: string): Promise<string> {
    const { id } = (await this.#post(`${url}/agents/${AGENT}/sessions`, { externalId: ticket }, `open ${ticket}`)) as {
      id: string;
    };
    return id;
  }

  async ask(url: string, session: string, text: string, key: string): Promise<void> {
    await this.#post(
      `${url}/agents/${AGENT}/sessions/${session}/messages`,
      { type: "user.message", body: { text } },
      key,
    );
  }

  /** Events after `last`, until the stream ends or breaks: the caller comes back with the last `seq` it saw. */
  async *events(url: string, session: string, last: number): AsyncGenerator<StreamedEvent> {
    const headers = { ...this.#headers(), "last-event-id": String(last) };
    const response = await fetch(`${url}/agents/${AGENT}/sessions/${session}/events`, { headers });
    if (!response.ok || response.body === null)
      throw new Error(`The gateway answered ${response.status}: ${await response.text()}`);
    let rest = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const frames = (rest + chunk).split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) {
        const data = frame.split("\n").find((line) => line.startsWith("data: "));
        if (data !== undefined) yield JSON.parse(data.slice(6)) as StreamedEvent;
      }
    }
  }

  async #post(url: string, body: object, key: string): Promise<unknown> {
    const headers = { ...this.#headers(), "content-type": "application/json", "idempotency-key": key };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`The gateway answered ${response.status}: ${await response.text()}`);
    return response.json();
  }

  #headers(): Record<string, string> {
    const headers = { authorization: `Bearer ${this.#token}` };
    propagation.inject(context.active(), headers);
    return headers;
  }
}
