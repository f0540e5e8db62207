import { type CallContext, type Catalog, Runtime } from "../index.ts";
import { openEngine, type Place } from "./place.ts";

export interface DeskOptions {
  readonly place: Place;
  readonly tenant: string;
  readonly json: boolean;
  readonly status?: string | undefined;
  readonly agent?: string | undefined;
  readonly after?: string | undefined;
  readonly message?: string | undefined;
  readonly deny: boolean;
  readonly live: boolean;
  readonly operands: readonly string[];
  readonly out: (line: string) => void;
}

/** What a command works on. The runtime in it takes no work: other processes run the sessions. */
export interface Desk extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly catalog: Catalog;
  readonly context: CallContext;
  readonly options: DeskOptions;
  operand(index: number, name: string): string;
  /** `value` for programs, `text` for people. */
  print(value: unknown, text: string): void;
}

export async function openDesk(options: DeskOptions): Promise<Desk> {
  const { place, tenant, operands } = options;
  const { catalog, close, ...engine } = await openEngine(place);
  const runtime = new Runtime(engine);
  return {
    runtime,
    catalog,
    context: { principal: { tenant } },
    options,
    operand(index, name) {
      const value = operands[index];
      if (value === undefined) throw new Error(`The ${name} is missing.`);
      return value;
    },
    print: (value, text) => options.out(options.json ? JSON.stringify(value) : text),
    [Symbol.asyncDispose]: close,
  };
}
