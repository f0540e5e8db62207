import { ToolsError } from "../errors.ts";
import type { FileEntry, GrepMatch, SandboxFiles } from "../sandbox-files.ts";
import type { CallHandlers, GuestCall, GuestChannel } from "./channel.ts";

const DEFAULT_BYTES = 16 * 1024 * 1024;
const STREAM_BYTES = 1024 * 1024 * 1024;

/** File work by the guest; `open` rejects once the sandbox is closed. */
export function guestFiles(open: () => GuestChannel): SandboxFiles {
  const start = (operation: string, args: Record<string, unknown>, handlers?: CallHandlers): GuestCall =>
    open().call(`file.${operation}`, args, handlers);
  const simple = async (operation: string, args: Record<string, unknown>): Promise<Record<string, unknown>> => {
    const call = start(operation, args);
    call.end();
    return await call.result;
  };
  const collect = async (operation: string, args: Record<string, unknown>): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    const call = start(operation, args, {
      onData(channel, data) {
        pieces.push(Buffer.from(data));
        call.grant(channel, data.length);
      },
    });
    call.end();
    await call.result;
    return Buffer.concat(pieces);
  };
  const listed = async <T>(operation: string, args: Record<string, unknown>): Promise<readonly T[]> =>
    JSON.parse((await collect(operation, args)).toString("utf8")) as T[];
  const stream = async (operation: string, args: Record<string, unknown>): Promise<ReadableStream<Uint8Array>> => {
    let first: () => void = () => {};
    const some = new Promise<void>((resolve) => {
      first = resolve;
    });
    let owed = 0;
    let call: GuestCall;
    const readable = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          call = start(operation, args, {
            onData(_, data) {
              owed += data.length;
              controller.enqueue(new Uint8Array(data));
              first();
            },
          });
          call.end();
          call.result.then(
            () => controller.close(),
            (error) => controller.error(error),
          );
        },
        pull() {
          if (owed > 0) call.grant(1, owed);
          owed = 0;
        },
        cancel: () => call.cancel(),
      },
      { highWaterMark: 0 },
    );
    // An error before the first byte is the caller's, not the stream's.
    // biome-ignore lint/style/noNonNullAssertion: `start` above ran already.
    await Promise.race([some, call!.result]);
    return readable;
  };
  const feed = async (
    operation: string,
    args: Record<string, unknown>,
    source: ReadableStream<Uint8Array>,
  ): Promise<Record<string, unknown>> => {
    const call = start(operation, args);
    try {
      for await (const piece of source) await call.send(piece);
    } catch (cause) {
      call.cancel();
      throw new ToolsError("TOOLS_CANCELLED", "The source failed before its end; nothing was written.", { cause });
    }
    call.end();
    return await call.result;
  };
  const files: SandboxFiles = {
    read: (path, { maxBytes = DEFAULT_BYTES, ...range } = {}) => collect("read", { path, maxBytes, ...range }),
    readText: async (path, options) => Buffer.from(await files.read(path, options)).toString("utf8"),
    async write(path, data) {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      const call = start("write", { path, maxBytes: bytes.length, bytes: bytes.length });
      await call.send(bytes);
      call.end();
      await call.result;
    },
    edit: async (path, change) => ({
      replacements: Number((await simple("edit", { path, ...change, maxBytes: DEFAULT_BYTES })).replacements),
    }),
    list: (path = ".", { recursive = false, limit = 1000 } = {}) =>
      listed<FileEntry>("list", { path, recursive, limit }),
    glob: (pattern, { path = ".", limit = 1000 } = {}) => listed<string>("glob", { pattern, path, limit }),
    grep: (pattern, { limit = 200, ...options } = {}) => listed<GrepMatch>("grep", { pattern, limit, ...options }),
    remove: async (path, options) => void (await simple("remove", { path, ...options })),
    move: async (from, to) => void (await simple("move", { from, to })),
    makeFolder: async (path) => void (await simple("folder", { path })),
    upload: async (path, source, { maxBytes = STREAM_BYTES } = {}) => ({
      bytes: Number((await feed("write", { path, maxBytes }, source)).bytes),
    }),
    download: (path, { maxBytes = STREAM_BYTES } = {}) => stream("read", { path, maxBytes }),
    pack: (path = ".") => stream("pack", { path, maxBytes: STREAM_BYTES }),
    async unpack(archive, path = ".", { maxBytes = STREAM_BYTES, maxEntries = 100_000 } = {}) {
      const made = await feed("unpack", { path, maxBytes, maxEntries }, archive);
      return { files: Number(made.files), bytes: Number(made.bytes) };
    },
  };
  return files;
}
