export type ClientHello =
  | { readonly kind: "incomplete" }
  | { readonly kind: "not_tls" }
  | { readonly kind: "malformed" }
  | { readonly kind: "hello"; readonly serverName: string | undefined };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;

/** Reads the server name out of the first TLS record (RFC 8446, 4.1.2; RFC 6066, 3). One split over records is malformed. */
export function readClientHello(bytes: Buffer): ClientHello {
  if (bytes.length === 0) return { kind: "incomplete" };
  if (bytes[0] !== HANDSHAKE) return { kind: "not_tls" };
  if (bytes.length < 5) return { kind: "incomplete" };
  const end = 5 + bytes.readUInt16BE(3);
  if (bytes.length < end) return { kind: "incomplete" };
  try {
    return { kind: "hello", serverName: serverName(bytes.subarray(5, end)) };
  } catch {
    return { kind: "malformed" };
  }
}

function serverName(record: Buffer): string | undefined {
  if (record.readUInt8(0) !== CLIENT_HELLO) throw new RangeError("not a client hello");
  const hello = exactly(record.subarray(4), record.readUIntBE(1, 3));
  let at = 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  if (at === hello.length) return undefined;
  const extensions = exactly(hello.subarray(at + 2), hello.readUInt16BE(at));
  for (let next = 0; next < extensions.length; ) {
    const type = extensions.readUInt16BE(next);
    const length = extensions.readUInt16BE(next + 2);
    if (type === SERVER_NAME) {
      const list = extensions.subarray(next + 4, next + 4 + length);
      return exactly(list.subarray(5), list.readUInt16BE(3)).toString("latin1");
    }
    next += 4 + length;
  }
  return undefined;
}

function exactly(bytes: Buffer, length: number): Buffer {
  if (bytes.length !== length) throw new RangeError("a length does not fit");
  return bytes;
}
