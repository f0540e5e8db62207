#!/usr/bin/env node
import { commandLine } from "./command-line.ts";

process.exitCode = await commandLine(process.argv.slice(2), {
  file: process.env.ASHLAR_RUNTIME_FILE,
  out: (line) => console.log(line),
  error: (line) => console.error(line),
});
