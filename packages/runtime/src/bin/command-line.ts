import { parseArgs } from "node:util";
import { agents, approve, fork, kill, listSessions, show, tail } from "./commands.ts";
import { type Desk, openDesk } from "./desk.ts";
import { placeOf } from "./place.ts";

const usage = `ashlar: sessions of @ashlar/runtime, wherever they are

  ashlar sessions ls [--status S] [--agent A]      newest first
  ashlar sessions show <session>                   its record
  ashlar sessions tail <session> [--after SEQ]     its events, and those to come, until it ends
  ashlar sessions kill <session>
  ashlar sessions approve <session> <request> [--deny] [--message TEXT]
  ashlar sessions fork <session> --after SEQ [--live]
  ashlar agents ls                                 agents of the catalog, and those that have sessions

  --data FILE     the SQLite file (or ASHLAR_RUNTIME_FILE)
  --redis URL     the Redis (or REDIS_URL)
  --postgres URL  the PostgreSQL (or POSTGRES_URL)
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
  /** Says where the sessions are when the words do not. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: (line: string) => void;
  readonly error: (line: string) => void;
}

/** Does what the words say and gives the exit code: 0, or 1 with one error on the error stream. */
export async function commandLine(words: readonly string[], { environment, out, error }: Terminal): Promise<number> {
  try {
    await obey(words, environment, out);
    return 0;
  } catch (failure) {
    error(failure instanceof Error ? failure.message : String(failure));
    return 1;
  }
}

async function obey(
  words: readonly string[],
  environment: Terminal["environment"],
  out: Terminal["out"],
): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      data: { type: "string" },
      redis: { type: "string" },
      postgres: { type: "string" },
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
  if (values.help) return out(usage);
  if (command === undefined) throw new Error(`${`${noun} ${verb}`.trim() || "Nothing"} is no command.\n\n${usage}`);
  await using desk = await openDesk({ ...values, place: placeOf(values, environment), operands, out });
  await command(desk);
}
