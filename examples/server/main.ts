/** The six blocks as one server, until SIGTERM. */
import { readOptions, UsageError, usage } from "./options.ts";

const say = (line: string): void => console.log(line);

try {
  if (process.argv.includes("--help")) say(usage);
  else await run();
} catch (error) {
  const known = error instanceof UsageError || typeof (error as { kind?: unknown }).kind === "string";
  console.error(known ? (error as Error).message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function run(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const { makeKey, startServer } = await import("./server.ts"); // a wrong flag is told before the stack is loaded
  const parts = { environment: process.env, say };
  if (options.newKey !== undefined) return makeKey(options.newKey, options, parts);
  await using _server = await startServer(options, parts);
  const signal = await new Promise<string>((resolve) => {
    for (const each of ["SIGTERM", "SIGINT"] as const) process.once(each, () => resolve(each));
  });
  say(`${signal}: calls under way may end, sessions are handed on`);
}
