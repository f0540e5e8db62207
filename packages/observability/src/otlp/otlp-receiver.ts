import { gunzipSync } from "node:zlib";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Principal, Redactor } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import { PatternRedactor } from "../redaction/pattern-redactor.ts";
import type { SpanRecord, SpanRecordKind } from "../span-record.ts";
import { isContent } from "../telemetry/content.ts";
import type { TraceStore } from "../trace-store.ts";
import { decodeProtobuf } from "./decode-protobuf.ts";
import { type OtlpSpan, otlpSpan, otlpTraces, toRecord } from "./otlp-traces.ts";

export interface OtlpReceiverOptions {
  readonly store: TraceStore;
  /** Who sends: its tenant owns the spans, whatever they say. `undefined` is answered with 401. */
  authenticate(request: Request): Promise<Principal | undefined>;
  /** A `PatternRedactor` when absent; `false` for none. */
  readonly redact?: Redactor | false;
  /** Whether prompts, answers, arguments and results are kept. Off when absent. */
  readonly content?: boolean;
  /** Largest body, after decompression. 8 MiB when absent. */
  readonly maxBytes?: number;
}

/** OTLP/HTTP for traces: `POST …/v1/traces`, protobuf or JSON, plain or gzip. Agents in any language land in the same store. */
export function otlpReceiver({
  store,
  authenticate,
  redact,
  content = false,
  maxBytes = 8 * 2 ** 20,
}: OtlpReceiverOptions): (request: Request) => Promise<Response> {
  const redactor = redact === false ? undefined : (redact ?? new PatternRedactor());
  return async (request) => {
    if (request.method !== "POST" || !new URL(request.url).pathname.endsWith("/v1/traces")) {
      return problem(404, "Send traces with POST to /v1/traces; metrics and logs are not taken here.");
    }
    const type = request.headers.get("content-type")?.split(";")[0]?.trim();
    const json = type === "application/json";
    if (!json && type !== "application/x-protobuf")
      return problem(415, "Use application/x-protobuf or application/json.");
    const principal = await authenticate(request);
    if (principal === undefined) return problem(401, "Credentials are needed to send traces.");
    const body = await readBody(request, maxBytes);
    if (body === undefined) return problem(413, `A body has at most ${maxBytes} bytes, also after decompression.`);
    let spans: { readonly records: readonly SpanRecord[]; readonly rejected: number };
    try {
      spans = toRecords(json ? JSON.parse(new TextDecoder().decode(body)) : decodeProtobuf(body));
    } catch {
      return problem(400, "The body is not an ExportTraceServiceRequest.");
    }
    const kept = spans.records.map((record) => (content ? record : withoutContent(record)));
    try {
      await store.append({ principal }, redactor === undefined ? kept : redactor.redact(kept));
    } catch (error) {
      if (ObservabilityError.is(error) && error.retryable)
        return problem(503, "The store is not available: send again later.");
      throw error;
    }
    return json ? answerJson(spans.rejected) : answerProtobuf(spans.rejected);
  };
}

async function readBody(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (request.headers.get("content-encoding") !== "gzip") return body;
  try {
    return gunzipSync(body, { maxOutputLength: maxBytes });
  } catch (error) {
    return (error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE" ? undefined : body;
  }
}

function toRecords(decoded: unknown): { readonly records: readonly SpanRecord[]; readonly rejected: number } {
  const records: SpanRecord[] = [];
  let rejected = 0;
  for (const { resource, scopeSpans } of otlpTraces.parse(decoded).resourceSpans ?? []) {
    const service = toRecord(resource?.attributes)["service.name"];
    for (const { scope, spans } of scopeSpans ?? []) {
      for (const each of spans ?? []) {
        const parsed = otlpSpan.safeParse(each);
        if (!parsed.success) rejected += 1;
        else
          records.push(toRecordOf(parsed.data, scope?.name ?? "", typeof service === "string" ? service : undefined));
      }
    }
  }
  return { records, rejected };
}

/** OTLP's `SpanKind`, by number. */
const kinds: readonly SpanRecordKind[] = ["internal", "internal", "server", "client", "producer", "consumer"];
const toMs = (nanoseconds: string | number): number => Number(BigInt(nanoseconds) / 1000n) / 1000;

function toRecordOf(span: OtlpSpan, scope: string, service: string | undefined): SpanRecord {
  const startAt = toMs(span.startTimeUnixNano);
  return {
    traceId: span.traceId.toLowerCase(),
    spanId: span.spanId.toLowerCase(),
    ...(span.parentSpanId === undefined || /^0*$/.test(span.parentSpanId)
      ? {}
      : { parentSpanId: span.parentSpanId.toLowerCase() }),
    name: span.name,
    kind: kinds[span.kind ?? 0] ?? "internal",
    startAt,
    endAt: Math.max(startAt, toMs(span.endTimeUnixNano)),
    status: span.status?.code === 2 ? "error" : span.status?.code === 1 ? "ok" : "unset",
    ...(span.status?.message ? { statusMessage: span.status.message } : {}),
    scope,
    ...(service === undefined ? {} : { service }),
    attributes: toRecord(span.attributes),
    ...(span.events?.length
      ? {
          events: span.events.map((event) => ({
            name: event.name,
            at: toMs(event.timeUnixNano),
            attributes: toRecord(event.attributes),
          })),
        }
      : {}),
    ...(span.links?.length ? { links: span.links } : {}),
  };
}

const speechless = <T extends object>(attributes: T): T =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => !isContent(name))) as T;

const withoutContent = (record: SpanRecord): SpanRecord => ({
  ...record,
  attributes: speechless(record.attributes),
  ...(record.events === undefined
    ? {}
    : { events: record.events.map((event) => ({ ...event, attributes: speechless(event.attributes) })) }),
});

const REJECTED = "spans without valid ids or times were left out";

const answerJson = (rejected: number): Response =>
  Response.json(rejected === 0 ? {} : { partialSuccess: { rejectedSpans: String(rejected), errorMessage: REJECTED } });

function answerProtobuf(rejected: number): Response {
  const writer = new BinaryWriter();
  if (rejected > 0) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int64(rejected).tag(2, WireType.LengthDelimited).string(REJECTED).join();
  }
  return new Response(new Uint8Array(writer.finish()), { headers: { "content-type": "application/x-protobuf" } });
}

const problem = (status: number, message: string): Response => Response.json({ code: status, message }, { status });
