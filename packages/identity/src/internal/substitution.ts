import type { Surface } from "../credential.ts";
import type { OutboundRequest } from "../outbound-request.ts";
import { matchSecret } from "./match-secret.ts";
import { cookies, headerValue } from "./placement.ts";
import { BodyFields, readBody, withBody } from "./request-body.ts";

export const PLACEHOLDER = "ashlar-ref-";

/** A request while its placeholders are exchanged. Only declared surfaces are ever written to. */
export class Draft {
  readonly #request: OutboundRequest;
  readonly #url: URL;
  readonly #headers: Map<string, string>;
  readonly #body: BodyFields | undefined;

  static async of(request: OutboundRequest, url: URL): Promise<Draft> {
    const { bytes, body } = await readBody(request.body);
    const read = body === undefined ? request : { ...request, body };
    return new Draft(read, url, bytes === undefined ? undefined : BodyFields.read(request, bytes));
  }

  private constructor(request: OutboundRequest, url: URL, body: BodyFields | undefined) {
    this.#request = request;
    this.#url = new URL(url);
    this.#headers = new Map(Object.entries(request.headers));
    this.#body = body;
  }

  get hasPlaceholder(): boolean {
    return this.has(PLACEHOLDER);
  }

  /** In the URL, a header or a readable body; inside a basic `authorization` too. */
  has(placeholder: string): boolean {
    const headers = [...this.#headers.values()].some((value) => value.includes(placeholder));
    return (
      headers ||
      this.#url.href.includes(placeholder) ||
      basic(this.#headers)?.includes(placeholder) === true ||
      this.#body?.text.includes(placeholder) === true
    );
  }

  /** Returns further texts that carry the value, such as a basic pair. */
  replace(placeholder: string, value: string, surfaces: readonly Surface[]): readonly string[] {
    const made: string[] = [];
    for (const surface of surfaces) {
      if (surface.in === "query") this.#query(surface.name, placeholder, value);
      if (surface.in === "header") made.push(...this.#header(surface.name.toLowerCase(), placeholder, value));
      if (surface.in === "cookie") this.#cookie(surface.name, placeholder, value);
      if (surface.in === "body") {
        this.#body?.change(surface.name, (text) => text && exchange(text, placeholder, value));
      }
    }
    return made;
  }

  /** For a token that is bound to a key: its scheme, and the proof beside it. */
  prove(proof: string): void {
    for (const [name, text] of this.#headers) {
      if (name.toLowerCase() === "authorization")
        this.#headers.set(name, matchSecret(/^bearer /i, text) ? `DPoP ${text.slice("bearer ".length)}` : text);
      if (name.toLowerCase() === "dpop") this.#headers.delete(name);
    }
    this.#headers.set("dpop", proof);
  }

  get request(): OutboundRequest {
    const request = { ...this.#request, url: this.#url.href, headers: Object.fromEntries(this.#headers) };
    return this.#body?.changed ? withBody(request, this.#body.text) : request;
  }

  #query(name: string, placeholder: string, value: string): void {
    for (const each of this.#url.searchParams.getAll(name)) {
      if (each.includes(placeholder)) this.#url.searchParams.set(name, exchange(each, placeholder, value));
    }
  }

  #header(name: string, placeholder: string, value: string): readonly string[] {
    const [spelled, text] = [...this.#headers].find(([each]) => each.toLowerCase() === name) ?? [];
    if (spelled === undefined || text === undefined) return [];
    const pair = name === "authorization" ? basic(this.#headers) : undefined;
    if (pair?.includes(placeholder)) {
      const encoded = Buffer.from(exchange(pair, placeholder, value)).toString("base64");
      this.#headers.set(spelled, `Basic ${encoded}`);
      return [encoded];
    }
    this.#headers.set(spelled, headerValue(exchange(text, placeholder, value)));
    return [];
  }

  #cookie(name: string, placeholder: string, value: string): void {
    const spelled = [...this.#headers.keys()].find((each) => each.toLowerCase() === "cookie");
    if (spelled === undefined) return;
    const pairs = cookies(Object.fromEntries(this.#headers)).map(([each, text]) => [
      each,
      each === name ? exchange(text, placeholder, encodeURIComponent(value)) : text,
    ]);
    this.#headers.set(spelled, pairs.map((pair) => pair.join("=")).join("; "));
  }
}

/** A function as replacement: `$&` in a secret means itself. */
const exchange = (text: string, placeholder: string, value: string): string =>
  text.replaceAll(placeholder, () => value);

function basic(headers: ReadonlyMap<string, string>): string | undefined {
  const text = [...headers].find(([name]) => name.toLowerCase() === "authorization")?.[1];
  const encoded = matchSecret(/^basic ([\w+/=-]+)$/i, text ?? "")?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8");
}
