import { existsSync } from "node:fs";
import { type CallContext, type Catalog, Runtime } from "../index.ts";
import { SqliteCatalog, SqliteSessionLog, SqliteWorkQueue } from "../sqlite/index.ts";

export interface DeskOptions {
  readonly file: string;
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
  const { file, tenant, operands } = options;
  if (!existsSync(file)) throw new Error(`There is no file ${file}.`);
  const { default: Database } = await import("better-sqlite3").catch(() => {
    throw new Error("This command needs better-sqlite3: npm install better-sqlite3");
  });
  const database = new Database(file);
  const runtime = new Runtime({
    log: new SqliteSessionLog({ database }),
    queue: new SqliteWorkQueue({ database }),
  });
  return {
    runtime,
    catalog: new SqliteCatalog({ database }),
    context: { principal: { tenant } },
    options,
    operand(index, name) {
      const value = operands[index];
      if (value === undefined) throw new Error(`The ${name} is missing.`);
      return value;
    },
    print: (value, text) => options.out(options.json ? JSON.stringify(value) : text),
    async [Symbol.asyncDispose]() {
      database.close();
    },
  };
}
