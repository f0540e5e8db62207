import { Readable } from "node:stream";

const STDOUT = 1;
const HEADER_BYTES = 8;
const MAX_LOG = 2_000;

/**
 * Stdout out of the frames in which an engine carries both outputs (Docker Engine API, "Stream format"); the beginning
 * of stderr goes to `log`.
 */
export function attachedOutput(stream: AsyncIterable<Buffer>, log: (text: string) => void): Readable {
  return Readable.from(frames(stream, log), { objectMode: false });
}

async function* frames(stream: AsyncIterable<Buffer>, log: (text: string) => void): AsyncGenerator<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  let logged = 0;
  let left = 0;
  let kind = 0;
  for await (const chunk of stream) {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    while (bytes.length > 0) {
      if (left === 0) {
        if (bytes.length < HEADER_BYTES) break;
        kind = bytes.readUInt8(0);
        left = bytes.readUInt32BE(4);
        bytes = bytes.subarray(HEADER_BYTES);
        continue;
      }
      const part = bytes.subarray(0, left);
      bytes = bytes.subarray(part.length);
      left -= part.length;
      if (kind === STDOUT) yield part;
      else if (logged < MAX_LOG) {
        logged += part.length;
        log(part.toString("utf8"));
      }
    }
  }
}
