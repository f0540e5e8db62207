import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Reads one field of a message into `into`; false when the field is not wanted. */
type Field = (reader: BinaryReader, into: Record<string, unknown>, depth: number) => void;
type Message = Readonly<Record<number, readonly [wire: WireType, read: Field]>>;

const DEEPEST = 32;

function read(reader: BinaryReader, length: number, message: Message, depth: number): Record<string, unknown> {
  if (depth > DEEPEST) throw new Error("nested too deep");
  const end = reader.pos + length;
  if (end > reader.len) throw new Error("cut off");
  const into: Record<string, unknown> = {};
  while (reader.pos < end) {
    const [number, wire] = reader.tag();
    const field = message[number];
    if (field === undefined || field[0] !== wire) reader.skip(wire, number);
    else field[1](reader, into, depth);
  }
  return into;
}

const scalar = (name: string, wire: WireType, get: (reader: BinaryReader) => unknown): Message[number] => [
  wire,
  (reader, into) => {
    into[name] = get(reader);
  },
];
const text = (name: string) => scalar(name, WireType.LengthDelimited, (reader) => reader.string());
const hex = (name: string) =>
  scalar(name, WireType.LengthDelimited, (reader) => Buffer.from(reader.bytes()).toString("hex"));
const integer = (name: string) => scalar(name, WireType.Varint, (reader) => reader.int32());
const instant = (name: string) => scalar(name, WireType.Bit64, (reader) => String(reader.fixed64()));
const one = (name: string, of: () => Message): Message[number] => [
  WireType.LengthDelimited,
  (reader, into, depth) => {
    into[name] = read(reader, reader.uint32(), of(), depth + 1);
  },
];
const many = (name: string, of: () => Message): Message[number] => [
  WireType.LengthDelimited,
  (reader, into, depth) => {
    const list = (into[name] as unknown[] | undefined) ?? [];
    list.push(read(reader, reader.uint32(), of(), depth + 1));
    into[name] = list;
  },
];

/** Field numbers of opentelemetry/proto/{common,resource,trace}/v1. */
const anyValue: Message = {
  1: text("stringValue"),
  2: scalar("boolValue", WireType.Varint, (reader) => reader.bool()),
  3: scalar("intValue", WireType.Varint, (reader) => String(reader.int64())),
  4: scalar("doubleValue", WireType.Bit64, (reader) => {
    const value = reader.double();
    return Number.isFinite(value) ? value : String(value);
  }),
  5: one("arrayValue", () => ({ 1: many("values", () => anyValue) })),
  6: one("kvlistValue", () => ({ 1: many("values", () => keyValue) })),
  7: scalar("bytesValue", WireType.LengthDelimited, (reader) => Buffer.from(reader.bytes()).toString("base64")),
};
const keyValue: Message = { 1: text("key"), 2: one("value", () => anyValue) };
const event: Message = { 1: instant("timeUnixNano"), 2: text("name"), 3: many("attributes", () => keyValue) };
const link: Message = { 1: hex("traceId"), 2: hex("spanId") };
const span: Message = {
  1: hex("traceId"),
  2: hex("spanId"),
  4: hex("parentSpanId"),
  5: text("name"),
  6: integer("kind"),
  7: instant("startTimeUnixNano"),
  8: instant("endTimeUnixNano"),
  9: many("attributes", () => keyValue),
  11: many("events", () => event),
  13: many("links", () => link),
  15: one("status", () => ({ 2: text("message"), 3: integer("code") })),
};
const scopeSpans: Message = { 1: one("scope", () => ({ 1: text("name") })), 2: many("spans", () => span) };
const resourceSpans: Message = {
  1: one("resource", () => ({ 1: many("attributes", () => keyValue) })),
  2: many("scopeSpans", () => scopeSpans),
};

/** An `ExportTraceServiceRequest` in protobuf as the object that its JSON encoding would give. Throws on malformed bytes. */
export function decodeProtobuf(bytes: Uint8Array): unknown {
  const reader = new BinaryReader(bytes);
  return read(reader, bytes.length, { 1: many("resourceSpans", () => resourceSpans) }, 0);
}
