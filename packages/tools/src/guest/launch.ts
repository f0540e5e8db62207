import { readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";

/** A guest that was started inside a boundary, as its backend hands it over. */
export interface Launch {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the boundary has ended with everything in it; never rejects. */
  readonly exited: Promise<{ readonly reason: string }>;
  /** Ends everything inside, at once. */
  kill(): void;
  /** Removes what the backend made on the host. Called once, after `exited`. */
  release(): Promise<void>;
  /** Shown to the guest when it differs from `/workspace`; where the backend keeps files on the host. */
  readonly workspace?: string;
  readonly roots?: readonly string[];
}

const folder = new URL("../../src/guest/programs/", import.meta.url);
const program = (name: string): string => readFileSync(new URL(name, folder), "utf8");

/** Reads the guest's source from stdin: nothing has to be mounted or copied. Its builtins are its own: code inside may change the others. */
export const GUEST_COMMAND: readonly string[] = [
  "-I",
  "-S",
  "-c",
  "import os,marshal\ndef t(n):\n b=b''\n while len(b)<n:\n  c=os.read(0,n-len(b))\n  if not c:os._exit(1)\n  b+=c\n return b\nb=t(int.from_bytes(t(4),'big'))\nexec(marshal.loads(b[1:]) if b[:1]==b'C' else compile(b[1:],'<guest>','exec'),{'__name__':'guest','__builtins__':dict(vars(__builtins__))})",
];

let source: string | undefined;

/** The guest's program. */
export function guestSource(): string {
  const names = ["guest.py", "processes.py", "files.py", "contexts.py", "kernel.py"];
  source ??= `${names.map(program).join("\n")}\nGuest(*private_descriptors()).run()\n`;
  return source;
}

/** The first bytes of a guest's stdin: a length and its program, compiled by the same interpreter (`C`) or as source (`S`). */
export function guestProgram(compiled: Buffer | undefined): Buffer {
  const body = compiled ?? Buffer.from(guestSource());
  const head = Buffer.alloc(5, compiled === undefined ? "S" : "C");
  head.writeUInt32BE(1 + body.length);
  return Buffer.concat([head, body]);
}

/** How the guest starts each kernel: Python is forked from the guest itself. */
export function kernels(node: string | undefined): Record<string, unknown> {
  if (node === undefined) return { python: {} };
  const start = [
    node,
    "--disable-warning=ExperimentalWarning",
    "--input-type=module",
    "-e",
    program("kernel.mjs"),
    "--",
    "{fd}",
  ];
  return {
    python: {},
    javascript: { command: [...start, "javascript"] },
    typescript: { command: [...start, "typescript"] },
  };
}
