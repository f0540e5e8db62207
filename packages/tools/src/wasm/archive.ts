import { createGunzip } from "node:zlib";
import { Unzip, type UnzipFile, UnzipInflate } from "fflate";
import { createTarDecoder, packTar } from "modern-tar";
import { ToolsError } from "../errors.ts";
import type { MemoryFiles } from "./memory-files.ts";

export interface ArchiveLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

type Unpacked = { readonly files: number; readonly bytes: number };

/** A tar archive with gzip of everything below a folder. */
export async function packFolder(tree: MemoryFiles, folder: string): Promise<ReadableStream<Uint8Array>> {
  const entries = tree.below(folder, true).map((path) => {
    const entry = tree.entry(path);
    const name = path.slice(folder.length + 1);
    const mtime = new Date(entry?.modifiedAt ?? 0);
    if (entry?.type === "folder") return { header: { name: `${name}/`, size: 0, type: "directory" as const, mtime } };
    const body = tree.read(path);
    return { header: { name, size: body.byteLength, type: "file" as const, mtime }, body };
  });
  const archive = await packTar(entries);
  return new Blob([archive]).stream().pipeThrough(new CompressionStream("gzip") as never);
}

/** Counts what really comes out, whatever the headers claim; what was written before a refusal stays. */
export async function unpackInto(
  tree: MemoryFiles,
  folder: string,
  archive: ReadableStream<Uint8Array>,
  limits: ArchiveLimits,
): Promise<Unpacked> {
  const whole = await collect(archive, limits);
  const sink = new Sink(tree, folder, limits);
  try {
    if (whole[0] === 0x50 && whole[1] === 0x4b) unzip(whole, sink);
    else if (whole[0] === 0x1f && whole[1] === 0x8b) await untar(await gunzip(whole, limits), sink);
    else await untar(whole, sink);
  } catch (error) {
    if (ToolsError.is(error)) throw error;
    throw new ToolsError("TOOLS_ARCHIVE_REFUSED", `The archive is not a tar, tar.gz or zip that can be read.`, {
      cause: error,
    });
  }
  return sink.done;
}

class Sink {
  readonly #tree: MemoryFiles;
  readonly #folder: string;
  readonly #limits: ArchiveLimits;
  #entries = 0;
  #files = 0;
  #bytes = 0;

  constructor(tree: MemoryFiles, folder: string, limits: ArchiveLimits) {
    this.#tree = tree;
    this.#folder = folder;
    this.#limits = limits;
  }

  get done(): Unpacked {
    return { files: this.#files, bytes: this.#bytes };
  }

  entry(): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) throw refused(`has over ${this.#limits.maxEntries} entries`);
  }

  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.maxBytes) throw refused(`unpacks to over ${this.#limits.maxBytes} bytes`);
  }

  file(name: string, data: Uint8Array): void {
    this.#tree.write(this.#inside(name), data);
    this.#files += 1;
  }

  makeFolder(name: string): void {
    this.#tree.makeFolder(this.#inside(name));
  }

  #inside(name: string): string {
    if (name.startsWith("/") || name.includes("\\") || name.includes("\0") || name.split("/").includes("..")) {
      throw refused("has an entry that would leave its folder");
    }
    return this.#tree.resolve(name, this.#folder);
  }
}

async function untar(bytes: Uint8Array, sink: Sink): Promise<void> {
  const decoder = createTarDecoder({ strict: true });
  const source = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream() as ReadableStream<Uint8Array>;
  for await (const { header, body } of source.pipeThrough(decoder)) {
    sink.entry();
    const type = header.type ?? "file";
    if (type !== "file" && type !== "directory") throw refused(`has an entry that is a ${type}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      sink.count(chunk.byteLength);
      chunks.push(chunk);
    }
    if (type === "directory") sink.makeFolder(header.name);
    else sink.file(header.name, new Uint8Array(Buffer.concat(chunks)));
  }
}

function unzip(bytes: Uint8Array, sink: Sink): void {
  if (zipHasLinks(bytes)) throw refused("has an entry that is a link");
  let failure: unknown;
  const reader = new Unzip((file: UnzipFile) => {
    sink.entry();
    const chunks: Uint8Array[] = [];
    file.ondata = (error, chunk, final) => {
      if (error !== null) throw error;
      sink.count(chunk.byteLength);
      chunks.push(chunk);
      if (!final) return;
      if (file.name.endsWith("/")) sink.makeFolder(file.name.slice(0, -1));
      else sink.file(file.name, new Uint8Array(Buffer.concat(chunks)));
    };
    try {
      file.start();
    } catch (error) {
      failure ??= error;
    }
  });
  reader.register(UnzipInflate);
  for (let at = 0; at < bytes.byteLength; at += 65_536) {
    reader.push(bytes.subarray(at, at + 65_536), at + 65_536 >= bytes.byteLength);
    if (failure !== undefined) throw failure;
  }
}

/** Reads the kind of each entry where zip keeps it: the upper half of the external attributes in the directory. */
function zipHasLinks(bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = view.indexOf("PK\x01\x02", 0, "latin1"); at >= 0; at = view.indexOf("PK\x01\x02", at + 4, "latin1")) {
    if (at + 46 <= view.length && ((view.readUInt32LE(at + 38) >>> 16) & 0o170000) === 0o120000) return true;
  }
  return false;
}

async function gunzip(bytes: Uint8Array, limits: ArchiveLimits): Promise<Uint8Array> {
  const stream = createGunzip();
  stream.end(bytes);
  return collect(stream, { ...limits, maxBytes: limits.maxBytes + limits.maxEntries * 1_024 });
}

async function collect(source: AsyncIterable<Uint8Array>, { maxBytes }: ArchiveLimits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw refused(`is over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

const refused = (why: string): ToolsError => new ToolsError("TOOLS_ARCHIVE_REFUSED", `The archive ${why}.`);
