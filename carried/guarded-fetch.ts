import { lookup as systemLookup } from "node:dns";
import ipaddr from "ipaddr.js";
import { Agent, fetch as undiciFetch } from "undici";
import type { ErrorKind, KindedError } from "../dialect.ts";

/** The platform's `fetch`, taken as a port so that a team can pass its own proxy or trust store. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface GuardOptions {
  /** Names that may resolve to private addresses: `"tickets.internal"`, or with a port `"127.0.0.1:4100"`. */
  readonly allow?: readonly string[];
  /** Bytes of one answer after decoding, so that a gzip bomb counts at its real size. Default 10 MiB. */
  readonly maxBytes?: number;
  /** From the call to the last byte. Default 30 s. */
  readonly timeoutMs?: number;
  /** PEM certificates to trust beside the system's. */
  readonly ca?: string | readonly string[];
  readonly lookup?: typeof systemLookup;
}

export type GuardedFetchCode = "FETCH_ADDRESS_DENIED" | "FETCH_TOO_LARGE" | "FETCH_TIMEOUT" | "FETCH_UNREACHABLE";

const kinds = {
  FETCH_ADDRESS_DENIED: "denied",
  FETCH_TOO_LARGE: "limited",
  FETCH_TIMEOUT: "unavailable",
  FETCH_UNREACHABLE: "unavailable",
} as const satisfies Record<GuardedFetchCode, ErrorKind>;

/** Names the origin at most: paths, queries and headers may carry secrets. */
export class GuardedFetchError extends Error implements KindedError {
  override readonly name = "GuardedFetchError";
  readonly code: GuardedFetchCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;

  constructor(code: GuardedFetchCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.kind = kinds[code];
    this.retryable = this.kind === "unavailable";
  }
}

/**
 * A `fetch` that resolves a name once and dials that very address, refuses addresses that are not public unless the
 * name is allowed, follows no redirect (a 3xx is the answer), and caps size and time.
 */
export function guardedFetch({
  allow = [],
  maxBytes = 10 * 1024 * 1024,
  timeoutMs = 30_000,
  ca,
  lookup = systemLookup,
}: GuardOptions = {}): Fetch & AsyncDisposable {
  const allowed = new Set(allow.map((name) => name.toLowerCase()));
  const agents = { guarded: agent(true), trusted: agent(false) };

  function agent(guarded: boolean): Agent {
    return new Agent({
      connect: {
        ...(ca === undefined ? {} : { ca: [ca].flat() as string[] }),
        lookup: guarded ? refusePrivate(lookup) : lookup,
      },
    });
  }

  const call: Fetch = async (input, init) => {
    const request = input instanceof Request ? input : undefined;
    const url = new URL(request?.url ?? String(input));
    const trusted = allowed.has(url.hostname) || allowed.has(`${url.hostname}:${url.port || defaultPort(url)}`);
    const literal = url.hostname.replace(/^\[|\]$/g, "");
    if (!trusted && ipaddr.isValid(literal) && !isPublic(literal)) throw denied(url.hostname);

    const deadline = AbortSignal.timeout(timeoutMs);
    const signals = [deadline, init?.signal ?? request?.signal].filter((signal) => signal != null);
    const body = init?.body ?? request?.body;
    try {
      const response = await undiciFetch(url, {
        method: init?.method ?? request?.method ?? "GET",
        headers: [...new Headers(init?.headers ?? request?.headers)] as [string, string][],
        ...(body == null ? {} : { body: body as never, duplex: "half" }),
        redirect: "manual",
        signal: AbortSignal.any(signals),
        dispatcher: trusted ? agents.trusted : agents.guarded,
      });
      return answer(response as unknown as Response, url, maxBytes);
    } catch (error) {
      throw explain(error, url, deadline);
    }
  };
  return Object.assign(call, {
    async [Symbol.asyncDispose]() {
      await Promise.all([agents.guarded.close(), agents.trusted.close()]);
    },
  });
}

/** False for loopback, private, link-local (metadata), shared, mapped, reserved and every other special range. */
export function isPublic(address: string): boolean {
  return ipaddr.process(address).range() === "unicast";
}

function refusePrivate(lookup: typeof systemLookup): typeof systemLookup {
  const guarded = (host: string, options: object, done: (...result: unknown[]) => void) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error);
      if (found.length === 0 || found.some(({ address }) => !isPublic(address))) return done(denied(host));
      const [first] = found;
      return "all" in options && options.all ? done(null, found) : done(null, first?.address, first?.family);
    });
  return guarded as typeof systemLookup;
}

function answer(response: Response, url: URL, maxBytes: number): Response {
  const announced = Number(response.headers.get("content-length") ?? 0);
  if (announced > maxBytes) {
    void response.body?.cancel();
    throw tooLarge(url, maxBytes);
  }
  let received = 0;
  const capped = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        received += chunk.byteLength;
        if (received > maxBytes) controller.error(tooLarge(url, maxBytes));
        else controller.enqueue(chunk);
      },
    }),
  );
  return new Response(capped ?? null, {
    status: response.status,
    statusText: response.statusText,
    headers: [...response.headers],
  });
}

function explain(error: unknown, url: URL, deadline: AbortSignal): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof GuardedFetchError) return cause;
  if (error instanceof GuardedFetchError) return error;
  if (deadline.aborted) return new GuardedFetchError("FETCH_TIMEOUT", `${url.origin} did not answer in time.`);
  if (error instanceof Error && error.name === "AbortError") return error;
  const code = (cause as { code?: string } | undefined)?.code;
  return new GuardedFetchError(
    "FETCH_UNREACHABLE",
    `${url.origin} could not be reached${code === undefined ? "" : ` (${code})`}.`,
  );
}

const defaultPort = ({ protocol }: URL): string => (protocol === "https:" ? "443" : "80");

const denied = (host: string): GuardedFetchError =>
  new GuardedFetchError(
    "FETCH_ADDRESS_DENIED",
    `${host} is, or resolves to, an address that is not public. If that is meant, name it in \`allow\`.`,
  );

const tooLarge = ({ origin }: URL, maxBytes: number): GuardedFetchError =>
  new GuardedFetchError("FETCH_TOO_LARGE", `The answer of ${origin} is over the cap of ${maxBytes} bytes.`);
