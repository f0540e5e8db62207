import { StringDecoder } from "node:string_decoder";
import type { ExecOptions } from "../command.ts";

/** What a program printed, whole and, where a listener is, piece by piece. */
export class Output {
  readonly #pieces: Record<number, Buffer[]> = { 1: [], 2: [] };
  readonly #decoders: Record<number, StringDecoder> = { 1: new StringDecoder("utf8"), 2: new StringDecoder("utf8") };
  readonly #listener: ExecOptions["onOutput"];

  constructor(listener: ExecOptions["onOutput"]) {
    this.#listener = listener;
  }

  add(number: number, data: Buffer): void {
    this.#pieces[number]?.push(Buffer.from(data));
    const text = this.#listener === undefined ? "" : (this.#decoders[number]?.write(data) ?? "");
    if (text !== "") this.#listener?.({ stream: number === 1 ? "stdout" : "stderr", text });
  }

  text(number: number): string {
    return Buffer.concat(this.#pieces[number] ?? []).toString("utf8");
  }
}
