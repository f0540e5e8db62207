import { z } from "zod";
import type { Json } from "../dialect.ts";

/** The parts of OTLP's `ExportTraceServiceRequest` that are kept, in its JSON spelling (OTLP 1.x, JSON Protobuf encoding). */
const nanoseconds = z.union([z.string().regex(/^\d{1,20}$/), z.number().nonnegative()]);
const anyValue: z.ZodType<AnyValue> = z.lazy(() =>
  z.object({
    stringValue: z.string().optional(),
    boolValue: z.boolean().optional(),
    intValue: z.union([z.string(), z.number()]).optional(),
    doubleValue: z.union([z.number(), z.string()]).optional(),
    arrayValue: z.object({ values: z.array(anyValue).optional() }).optional(),
    kvlistValue: z
      .object({ values: z.array(z.object({ key: z.string(), value: anyValue.optional() })).optional() })
      .optional(),
    bytesValue: z.string().optional(),
  }),
) as z.ZodType<AnyValue>;
const attributes = z.array(z.object({ key: z.string(), value: anyValue.optional() })).optional();

export const otlpTraces: z.ZodType<OtlpTraces> = z.object({
  resourceSpans: z
    .array(
      z.object({
        resource: z.object({ attributes }).optional(),
        scopeSpans: z
          .array(
            z.object({
              scope: z.object({ name: z.string().optional() }).optional(),
              spans: z.array(z.unknown()).optional(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});

const hex = (digits: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`))
    .refine((id) => !/^0+$/.test(id));
export const otlpSpan: z.ZodType<OtlpSpan> = z.object({
  traceId: hex(32),
  spanId: hex(16),
  parentSpanId: z.union([z.literal(""), z.string().regex(/^[0-9a-fA-F]{16}$/)]).optional(),
  name: z.string().default(""),
  kind: z.number().int().optional(),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  events: z
    .array(z.object({ timeUnixNano: nanoseconds.default("0"), name: z.string().default(""), attributes }))
    .optional(),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).optional(),
  status: z.object({ code: z.number().int().optional(), message: z.string().optional() }).optional(),
});

export interface OtlpTraces {
  readonly resourceSpans?:
    | readonly {
        readonly resource?: { readonly attributes?: OtlpAttributes } | undefined;
        readonly scopeSpans?:
          | readonly {
              readonly scope?: { readonly name?: string | undefined } | undefined;
              readonly spans?: readonly unknown[] | undefined;
            }[]
          | undefined;
      }[]
    | undefined;
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind?: number | undefined;
  readonly startTimeUnixNano: string | number;
  readonly endTimeUnixNano: string | number;
  readonly attributes?: OtlpAttributes;
  readonly events?:
    | readonly { readonly timeUnixNano: string | number; readonly name: string; readonly attributes?: OtlpAttributes }[]
    | undefined;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[] | undefined;
  readonly status?: { readonly code?: number | undefined; readonly message?: string | undefined } | undefined;
}

export type OtlpAttributes = readonly { readonly key: string; readonly value?: AnyValue | undefined }[] | undefined;

interface AnyValue {
  readonly stringValue?: string | undefined;
  readonly boolValue?: boolean | undefined;
  readonly intValue?: string | number | undefined;
  readonly doubleValue?: number | string | undefined;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] | undefined } | undefined;
  readonly kvlistValue?: { readonly values?: OtlpAttributes } | undefined;
  readonly bytesValue?: string | undefined;
}

/** Whole numbers beyond 2^53 lose their last digits. */
function toJson(value: AnyValue | undefined): Json {
  if (value === undefined) return null;
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(toJson);
  if (value.kvlistValue !== undefined) return toRecord(value.kvlistValue.values);
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.doubleValue !== undefined)
    return Number.isFinite(Number(value.doubleValue)) ? Number(value.doubleValue) : String(value.doubleValue);
  return value.stringValue ?? value.boolValue ?? value.bytesValue ?? null;
}

export const toRecord = (pairs: OtlpAttributes): Record<string, Json> =>
  Object.fromEntries((pairs ?? []).map(({ key, value }) => [key, toJson(value)]));
