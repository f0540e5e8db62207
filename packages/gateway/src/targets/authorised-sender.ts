import type { CredentialInjector, OutboundRequest } from "../credential-injector.ts";
import type { CallContext, Redactor } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import type { TargetAuth } from "../target.ts";
import type { OutboundResponse, SendOptions, Transport } from "../transport.ts";

export type Send = (context: CallContext, request: OutboundRequest, options?: SendOptions) => Promise<OutboundResponse>;

/** Sends with the target's credential in place; every byte of the answer and its headers pass the redactor. */
export function authorisedSender({
  name,
  transport,
  injector,
  auth,
}: {
  readonly name: string;
  readonly transport: Transport;
  readonly injector?: CredentialInjector | undefined;
  readonly auth?: TargetAuth | undefined;
}): Send {
  if (auth === undefined) return (_context, request, options) => transport.send(request, options);
  if (injector === undefined) {
    throw new GatewayError(
      "GATEWAY_INVALID",
      `Target ${name} has a credentialRef, but the gateway has no \`injector\` to resolve it.`,
    );
  }
  return async (context, request, options) => {
    const injected = await injector.inject(context, auth.credentialRef, request);
    return new RedactedResponse(await transport.send(injected.request, options), injected.redactor);
  };
}

export class RedactedResponse implements OutboundResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #inner: OutboundResponse;
  readonly #redactor: Redactor;

  constructor(inner: OutboundResponse, redactor: Redactor) {
    this.#inner = inner;
    this.#redactor = redactor;
    this.status = inner.status;
    this.headers = redactor.redact(inner.headers);
  }

  async bytes(): Promise<Uint8Array> {
    const bytes = await this.#inner.bytes();
    if (!isText(this.headers["content-type"])) {
      return new Response(
        new Response(bytes as Uint8Array<ArrayBuffer>).body?.pipeThrough(this.#redactor.stream()),
      ).bytes();
    }
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    const clean = this.#redactor.redact(text);
    return clean === text ? bytes : Buffer.from(clean, "utf8");
  }

  stream(): ReadableStream<Uint8Array> {
    return this.#inner.stream().pipeThrough(this.#redactor.stream());
  }
}

const isText = (type = ""): boolean => /^(text\/|application\/([a-z.-]+\+)?(json|xml)\b)/i.test(type);
