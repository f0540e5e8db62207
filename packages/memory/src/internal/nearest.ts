/**
 * Dot products of one vector with many, four numbers at a time: the processor's vector instructions, which JavaScript
 * reaches through WebAssembly only. The same arithmetic in the same order on every machine, over whatever store.
 */
const PAGE = 65_536;
/** Two registers of four floats a step: rows are padded with zeros to a multiple of it. */
const STEP = 32;

/** What is used of the global; the types of Node leave it to those of the browser. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Memory: new (size: { readonly initial: number }) => Kernel["memory"];
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object, imports: object) => { readonly exports: Pick<Kernel, "score"> };
  };
};

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Addresses in bytes: the vector asked for, first row, end of the rows, bytes of a row, where scores go. */
  score(asked: number, row: number, end: number, width: number, out: number): void;
}

/** Vectors of float32, each in base64, one after the other in memory that the kernel reads. */
export class VectorTable {
  readonly #kernel: Kernel;
  readonly #count: number;
  readonly #width: number;

  constructor(vectors: readonly string[], dimensions: number) {
    this.#count = vectors.length;
    this.#width = Math.ceil((4 * dimensions) / STEP) * STEP;
    const bytes = this.#width * (this.#count + 1) + 4 * this.#count;
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
    const room = Buffer.from(memory.buffer);
    vectors.forEach((vector, index) => {
      room.write(vector, this.#width * (index + 1), 4 * dimensions, "base64");
    });
    this.#kernel = { memory, score: new WebAssembly.Instance(kernel(), { "": { memory } }).exports.score };
  }

  /** One score for each vector; valid until the next call. */
  scores(asked: Float32Array): Float32Array {
    const { memory, score } = this.#kernel;
    const end = this.#width * (this.#count + 1);
    new Float32Array(memory.buffer, 0, asked.length).set(asked);
    if (this.#count > 0) score(0, this.#width, end, this.#width, end);
    return new Float32Array(memory.buffer, end, this.#count);
  }
}

let compiled: object | undefined;

function kernel(): object {
  compiled ??= new WebAssembly.Module(Uint8Array.from(program));
  return compiled;
}

const I32 = 0x7f;
const V128 = 0x7b;
const [asked, row, end, width, out, a, b, at] = [0, 1, 2, 3, 4, 5, 6, 7];
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const add = [0x6a];
const number = (value: number) => [0x41, value];
const load = (base: number, offset: number) => [...get(base), ...get(at), ...add, 0xfd, 0x00, 4, offset];
const plus = [0xfd, 0xe4, 0x01];
const times = [0xfd, 0xe6, 0x01];
const zero = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
const lane = (index: number) => [...get(a), 0xfd, 0x1f, index];
const accumulate = (sum: number, offset: number) => [
  ...[...get(sum), ...load(asked, offset), ...load(row, offset), ...times, ...plus, ...set(sum)],
];
const block = (kind: number, ...body: readonly number[][]) => [kind, 0x40, ...body.flat(), 0x0b];

/** For each row: `a` and `b` gather the products, then `a + b` and its four lanes are summed into `out`. */
const body = block(
  0x02,
  block(
    0x03,
    [...get(row), ...get(end), 0x4f, 0x0d, 1],
    [...zero, ...set(a), ...zero, ...set(b), ...number(0), ...set(at)],
    block(
      0x03,
      accumulate(a, 0),
      accumulate(b, 16),
      [...get(at), ...number(STEP), ...add, ...set(at)],
      [...get(at), ...get(width), 0x49, 0x0d, 0],
    ),
    [...get(a), ...get(b), ...plus, ...set(a)],
    [...get(out), ...lane(0), ...lane(1), 0x92, ...lane(2), ...lane(3), 0x92, 0x92, 0x38, 2, 0],
    [...get(out), ...number(4), ...add, ...set(out)],
    [...get(row), ...get(width), ...add, ...set(row)],
    [0x0c, 0],
  ),
);

const text = (value: string) => [value.length, ...Buffer.from(value)];
const size = (value: number) => (value < 128 ? [value] : [(value & 0x7f) | 0x80, value >> 7]);
const section = (id: number, ...content: readonly number[][]) => [
  id,
  ...size(content.flat().length),
  ...content.flat(),
];
const code = [2, 2, V128, 1, I32, ...body, 0x0b];
/** The WebAssembly binary format: types, the memory that is handed in, one function, its name, its code. */
const program: readonly number[] = [
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, 0x60, 5, I32, I32, I32, I32, I32, 0]),
  ...section(2, [1], text(""), text("memory"), [2, 0, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1], text("score"), [0, 0]),
  ...section(10, [1], size(code.length), code),
];
