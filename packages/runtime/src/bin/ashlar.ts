#!/usr/bin/env node
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

try {
  const { values, positionals } = parseArgs({
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
  const file = values.data ?? process.env.ASHLAR_RUNTIME_FILE;
  if (values.help) console.log(usage);
  else if (command === undefined)
    throw new Error(`${`${noun} ${verb}`.trim() || "Nothing"} is no command.\n\n${usage}`);
  else if (file === undefined) throw new Error("Which file? Give --data FILE.");
  else {
    await using desk = await openDesk({ ...values, file, operands });
    await command(desk);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
