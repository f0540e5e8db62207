/** What the job prints, also kept, so that the search for the secret covers it. */
export class Terminal {
  readonly #colour: boolean;
  printed = "";

  constructor({ colour }: { readonly colour: boolean }) {
    this.#colour = colour;
  }

  line(text: string = ""): void {
    this.printed += `${text}\n`;
    process.stdout.write(`${text}\n`);
  }

  title(text: string): void {
    this.line(`\n${this.#colour ? `\u001b[1m${text}\u001b[0m` : text}`);
  }

  step(mark: string, text: string): void {
    this.line(`  ${mark} ${text}`);
  }

  get colour(): boolean {
    return this.#colour;
  }
}
