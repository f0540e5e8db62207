/** Appends against the bare driver, warm invocation, sandboxed sessions from a pool, and what an active session costs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { interleaved, report, round, spread } from "../support/measure.ts";
import { appendMsAt, appendRate, bareRate } from "./append.ts";
import { activeCost, warmInvoke } from "./invoke.ts";
import { bareSpawn, burst, sandboxPresent, sustained, withSandboxes } from "./sandbox.ts";

const POOL = 16;
const SECONDS = Number(process.env.ASHLAR_BENCH_SECONDS ?? 30);
const folder = await mkdtemp(join(tmpdir(), "ashlar-bench-"));

const rates = await interleaved(7, { ours: () => appendRate(false), bare: bareRate, batched: () => appendRate(true) });
const lengths = [];
for (const length of [1_000, 10_000, 100_000]) {
  lengths.push({ "events in the log": length, "ms per append": round(await appendMsAt(length)) });
}
const invoke = spread(await warmInvoke(join(folder, "invoke.db"), 500));
const active = await activeCost(join(folder, "active.db"), 200, 10);

let sandbox = {};
if (sandboxPresent()) {
  const bare = await bareSpawn(SECONDS);
  const [first, pooled] = await withSandboxes(async (host) => [
    spread(await burst(host, POOL)),
    await sustained(host, POOL, SECONDS),
  ]);
  sandbox = {
    warmSandboxP50Ms: round(first.p50),
    poolSize: POOL,
    sustainedSandboxSessionsPerSecond: round(pooled),
    ratioToBareSpawn: round(pooled / bare),
  };
} else console.error("bubblewrap is not installed: no sandboxed sessions measured (apt-get install bubblewrap).");

await rm(folder, { recursive: true, force: true });
console.table(lengths);
report(
  "runtime",
  Object.entries(rates).map(([name, { p50, min, max }]) => ({
    append: name,
    "events/s": Math.round(p50),
    lowest: Math.round(min),
    highest: Math.round(max),
  })),
  {
    appendPerSecond: Math.round(rates.ours.p50),
    ratioToBareSqlite: round(rates.ours.p50 / rates.bare.p50),
    batchAppendPerSecond: Math.round(rates.batched.p50),
    warmInProcessP50Ms: round(invoke.p50),
    ...sandbox,
    cpuSecondsPerActiveHour: round(active.cpuSecondsPerActiveHour),
    mibPerActiveSession: round(active.mibPerActiveSession),
  },
);
