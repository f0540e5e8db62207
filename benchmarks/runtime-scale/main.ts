/**
 * Turns per second with 1, 2 and 4 worker processes against bare BullMQ on the same server, fenced appends against a bare
 * fenced append, and idle sessions: `runtime-scale [--profile redis|postgres] [--turns N] [--sessions N]`.
 */
import { parseArgs } from "node:util";
import type { Place } from "../campaigns/crash/engine.ts";
import { startServer } from "../campaigns/crash/servers.ts";
import { interleaved, report, round, type Spread } from "../support/measure.ts";
import { appendRate, bareAppendRate } from "./append.ts";
import { idle } from "./idle.ts";
import { rate } from "./turns.ts";

const ROUNDS = 3;
const WORKERS = [1, 2, 4] as const;

const { values } = parseArgs({
  options: {
    profile: { type: "string" },
    turns: { type: "string", default: "2000" },
    appends: { type: "string", default: "20000" },
    sessions: { type: "string", default: "100000" },
  },
});
const [turns, appends, sessions] = [Number(values.turns), Number(values.appends), Number(values.sessions)];
const profiles = (["redis", "postgres"] as const).filter((each) => (values.profile ?? each) === each);

const shown = ({ p50, min, max }: Spread) => `${round(p50)} (${round(min)} to ${round(max)})`;
const rows: Record<string, unknown>[] = [];
const figures: Record<string, unknown>[] = [];
for (const profile of profiles) {
  const server = await startServer(profile, "", "everysec");
  const { place } = server;
  try {
    for (const workers of WORKERS) figures.push(await turnsOf(place, workers));
    const { ours, bare } = await interleaved(ROUNDS, {
      ours: () => appendRate(place, appends),
      bare: () => bareAppendRate(place, appends),
    });
    rows.push({ profile, what: "fenced appends/s, 64 in flight", ours: shown(ours), bare: shown(bare) });
    const { bytesPerSession, wake } = await idle(place, sessions);
    rows.push({
      profile,
      what: `wake of ${sessions} idle, ms p50 / p99`,
      ours: `${round(wake.p50)} / ${round(wake.p99)}`,
    });
    figures.push({
      profile,
      ...{ appendPerSecond: Math.round(ours.p50), ratioToBareAppend: round(ours.p50 / bare.p50) },
      ...{ sessions, bytesPerSession: Math.round(bytesPerSession) },
      ...{ wakeP50Ms: round(wake.p50), wakeP99Ms: round(wake.p99) },
    });
  } finally {
    await server.stop();
  }
}
report("runtime-scale", rows, { turns, results: figures });

async function turnsOf(place: Place, workers: number): Promise<Record<string, unknown>> {
  const { profile } = place;
  const { ours, bare } = await interleaved(ROUNDS, {
    ours: () => rate("ours", place, workers, turns),
    bare: () => rate("bare", place, workers, turns),
  });
  rows.push({ profile, what: `turns/s, ${workers} workers`, ours: shown(ours), bare: shown(bare) });
  const ratioToBareQueue = round(ours.p50 / bare.p50);
  return { profile, workers, turnsPerSecond: Math.round(ours.p50), ratioToBareQueue };
}
