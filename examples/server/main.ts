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
  const { startServer } = await import("./server.ts"); // a wrong flag is told before the stack is loaded
  const server = await startServer(options, { environment: process.env, say });
  const stop = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
  const signal = await Promise.race([stop, server.done]);
  if (signal !== undefined) say(`${signal}: calls under way may end, sessions are handed on`);
  await server.close();
  if (signal !== undefined) say("stopped");
}
