#!/usr/bin/env node
import { commandLine } from "./command-line.ts";

process.exitCode = await commandLine(process.argv.slice(2), {
  environment: process.env,
  out: (line) => console.log(line),
  error: (line) => console.error(line),
});
