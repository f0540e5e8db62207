#!/usr/bin/env node
import { text } from "node:stream/consumers";
import { commandLine } from "./command-line.ts";

process.exitCode = await commandLine(process.argv.slice(2), {
  input: async () => (process.stdin.isTTY ? undefined : await text(process.stdin)),
  print: (line) => console.log(line),
  complain: (line) => console.error(line),
});
