/**
 * Sandboxes to first result against bare Python and `@anthropic-ai/sandbox-runtime`, all in one run. The latter needs
 * the packages bubblewrap, socat and ripgrep; the contexts need python3-numpy, python3-pandas and python3-matplotlib.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { BubblewrapBackend } from "../../packages/tools/src/bubblewrap/index.ts";
import { SandboxPool } from "../../packages/tools/src/index.ts";
import { interleaved, report, round, spread, timeEach } from "../support/measure.ts";

const ROUNDS = Number(process.argv[2] ?? 30);
const context = { principal: { tenant: "bench" } };
const path = createRequire(import.meta.url).resolve("@anthropic-ai/sandbox-runtime");
const { SandboxManager } = await import(pathToFileURL(path).href);
await SandboxManager.initialize({
  network: { allowedDomains: [], deniedDomains: [] },
  filesystem: { denyRead: [], allowWrite: ["/tmp"], denyWrite: [] },
});

const python = ["/usr/bin/python3", "-c", "print(1)"] as const;
/** From `start` until the program has printed: what it takes to end counts for nobody. */
async function prints(start: number, command: string, args: readonly string[], shell = false): Promise<number> {
  const child = spawn(command, args, { shell, stdio: ["ignore", "pipe", "pipe"], cwd: "/tmp" });
  let took = Number.NaN;
  let log = "";
  child.stdout.once("data", (chunk) => {
    if (String(chunk).startsWith("1")) took = performance.now() - start;
  });
  child.stderr.on("data", (chunk) => {
    log += chunk;
  });
  await once(child, "close");
  if (Number.isNaN(took)) throw new Error(`${command.slice(0, 80)}: ${log.slice(0, 500)}`);
  return took;
}

const backend = new BubblewrapBackend();
await backend.probe();
const spreads = await interleaved(ROUNDS, {
  "bare python3": () => prints(performance.now(), python[0], python.slice(1)),
  "sandbox-runtime": async () => {
    const start = performance.now();
    return await prints(start, await SandboxManager.wrapWithSandbox("/usr/bin/python3 -c 'print(1)'"), [], true);
  },
  "ashlar, cold": async () => {
    const start = performance.now();
    const sandbox = await backend.create(context);
    const { stdout } = await sandbox.run("print(1)");
    const took = performance.now() - start;
    if (stdout !== "1\n") throw new Error("no result");
    await sandbox.close();
    return took;
  },
});

const pool = new SandboxPool({ backend, size: 1 });
const warm: number[] = [];
for (let each = 0; each < ROUNDS; each++) {
  await pool.fill();
  const start = performance.now();
  const sandbox = await pool.create(context);
  await sandbox.run("print(1)");
  warm.push(performance.now() - start);
  await sandbox.close();
}
const sandbox = await backend.create(context);
await sandbox.run("x = 0");
const again = spread(await timeEach(200, () => sandbox.run("x += 1")));
const mebibyte = new Uint8Array(1 << 20);
const write = spread(await timeEach(50, () => sandbox.files.write("mebibyte", mebibyte)));
const { results } = await sandbox.run(
  "int([l for l in open('/proc/self/smaps_rollup') if l.startswith('Pss:')][0].split()[1])",
);
const kernelPssMiB = Number(results[0]?.data["text/plain"]) / 1024;
await sandbox.close();

const libraries = ["numpy", "pandas", "matplotlib.pyplot"];
const zygote = await backend.create(context, { preload: libraries });
const fork = spread(
  await timeEach(20, async () => {
    const { id } = await zygote.createContext({ language: "python" });
    await zygote.run("import numpy, pandas, matplotlib.pyplot", { context: id });
    await zygote.clearContext(id);
  }),
);
await zygote.close();
await pool.close();
await SandboxManager.reset();

const rows = [
  ...Object.entries(spreads),
  ["ashlar, from a pool", spread(warm)] as const,
  ["ashlar, new context with numpy, pandas, matplotlib", fork] as const,
  ["ashlar, next run in a context", again] as const,
  ["ashlar, file of 1 MiB written", write] as const,
].map(([what, { p50, p99, min }]) => ({ what, p50Ms: round(p50), p99Ms: round(p99), minMs: round(min) }));
report("tools", rows, {
  coldP50Ms: round(spreads["ashlar, cold"].p50),
  zygoteP50Ms: round(fork.p50),
  warmP50Ms: round(spread(warm).p50),
  againP50Ms: round(again.p50),
  writeMiBP50Ms: round(write.p50),
  ratioToBarePython: round(spreads["ashlar, cold"].p50 / spreads["bare python3"].p50),
  ratioToSandboxRuntime: round(spreads["sandbox-runtime"].p50 / spreads["ashlar, cold"].p50),
  kernelPssMiB: round(kernelPssMiB),
});
process.exit(0);
