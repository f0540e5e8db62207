/** An answer before it is a `Response`: a server that can write bytes itself need not make one of it. */
export interface Answer {
  readonly status: number;
  /** Names are lower case. Not shared with another answer. */
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array | ReadableStream<Uint8Array> | null;
}

export const toResponse = ({ status, headers, body }: Answer): Response =>
  new Response(body as string | Uint8Array<ArrayBuffer> | ReadableStream | null, { status, headers });

export const toAnswer = ({ status, headers, body }: Response): Answer => ({
  status,
  headers: Object.fromEntries(headers),
  body,
});

export const jsonAnswer = (status: number, body: object, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

export const emptyAnswer = (status: number): Answer => ({ status, headers: {}, body: null });
