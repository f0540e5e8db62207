import { parseArgs } from "node:util";
import { agents, approve, fork, kill, listSessions, show, tail } from "./commands.ts";
import { type Desk, openDesk } from "./desk.ts";

const usage = `ashlar: sessions of @ashlar/runtime in a SQLite file

  ashlar sessions ls [--status S] [--agent A]      newest first
  ashlar sessions show <session>                   its record
  ashlar sessions tail <session> [--after SEQ]     its events, and those to come, until it ends
  ashlar sessions kill <session>
  ashlar sessions approve <session> <request> [--deny] [--message TEXT]
  ashlar sessions fork <session> --after SEQ [--live]
  ashlar agents ls                                 agents of the catalog, and those that have sessions

  --data FILE     the SQLite file (or ASHLAR_RUNTIME_FILE)
  --tenant NAME   default "default"
  --json          one JSON value per line, for programs`;

const commands: Readonly<Record<string, (desk: Desk) => Promise<void>>> = {
  "sessions ls": listSessions,
  "sessions show": show,
  "sessions tail": tail,
  "sessions kill": kill,
  "sessions approve": approve,
  "sessions fork": fork,
  "agents ls": agents,
};

export interface Terminal {
  /** Taken where `--data` is not given. */
  readonly file?: string | undefined;
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
}

/** Does what the words say and gives the exit code: 0, or 1 with one error on the error stream. */
export async function commandLine(words: readonly string[], { file, out, error }: Terminal): Promise<number> {
  try {
    await obey(words, file, out);
    return 0;
  } catch (failure) {
    error(failure instanceof Error ? failure.message : String(failure));
    return 1;
  }
}

async function obey(words: readonly string[], known: string | undefined, out: Terminal["out"]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      data: { type: "string" },
      tenant: { type: "string", default: "default" },
      json: { type: "boolean", default: false },
      status: { type: "string" },
      agent: { type: "string" },
      after: { type: "string" },
      message: { type: "string" },
      deny: { type: "boolean", default: false },
      live: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [noun = "", verb = "", ...operands] = positionals;
  const command = commands[`${noun} ${verb}`];
  const file = values.data ?? known;
  if (values.help) return out(usage);
  if (command === undefined) throw new Error(`${`${noun} ${verb}`.trim() || "Nothing"} is no command.\n\n${usage}`);
  if (file === undefined) throw new Error("Which file? Give --data FILE.");
  await using desk = await openDesk({ ...values, file, operands, out });
  await command(desk);
}
