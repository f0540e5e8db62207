/** The console in real Chromium: first page over 100,000 sessions, opening one of 10,000 events, scrubbing through it, weight. */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { consoleHandler, type SessionEvent, type SessionReader } from "@ashlar/observability";
import { report, round, spread } from "../support/measure.ts";

const SESSIONS = 100_000;
const EVENTS = 10_000;
const RUNS = Number(process.argv[2] ?? 9);
const manifest = fileURLToPath(import.meta.resolve("@ashlar/observability/package.json"));
const { chromium } = createRequire(manifest)("playwright-core");

const start = Date.UTC(2026, 0, 1);
const sessions = Array.from({ length: SESSIONS }, (_, index) => ({
  id: `ses_${SESSIONS - index}`,
  agent: "ticket-resolver",
  status: "ended",
  startedAt: start - index * 1000,
  activeMs: 1000,
}));
const events: SessionEvent[] = Array.from({ length: EVENTS }, (_, index) => ({
  tenant: "acme",
  session: "ses_1",
  seq: index + 1,
  id: `evt_${index + 1}`,
  type: index % 7 === 0 ? "step.failed" : "message.agent",
  at: start + index * 137,
  fence: index < 5000 ? "1:a" : "2:b",
  schemaVersion: 1,
  body: { text: `What the agent said at event ${index}, in a line of ordinary length.` },
}));
const reader: SessionReader = {
  async list(_, { cursor = "0", limit = 100 }) {
    const from = Number(cursor);
    return {
      items: sessions.slice(from, from + limit),
      ...(from + limit < SESSIONS ? { cursor: String(from + limit) } : {}),
    };
  },
  async events(_, __, { after = 0, limit = 1000 } = {}) {
    return { items: events.slice(after, after + limit), ...(after + limit < EVENTS ? { cursor: "more" } : {}) };
  },
};
const handler = consoleHandler({ reader, authenticate: async () => ({ tenant: "acme" }) });
const server = createServer(async (request, response) => {
  const answer = await handler(new Request(`http://console.test${request.url}`));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body === null) return void response.end();
  const source = Readable.fromWeb(answer.body as never);
  response.on("close", () => source.destroy());
  source.on("error", () => {});
  source.pipe(response);
}).listen(0, "127.0.0.1");
await once(server, "listening");
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/console/`;
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
  ],
});

const STEPS = 120;
const FRAME_MS = 1000 / 60;
/** Moves the page's slider once a frame, and gives the time between frames. */
const MOVE = `(async () => {
  const range = document.querySelector("input[type=range]");
  const times = [];
  let before = await new Promise(requestAnimationFrame);
  for (let step = 1; step <= ${STEPS}; step++) {
    range.value = step * 83;
    range.dispatchEvent(new Event("input"));
    const now = await new Promise(requestAnimationFrame);
    times.push(now - before);
    before = now;
  }
  return times;
})()`;
const viewport = { width: 1280, height: 800 };

/** The same moves of a slider that does nothing: what the machine itself drops is no page's fault. */
async function control(): Promise<number[]> {
  const page = await browser.newPage({ viewport });
  await page.setContent(`<input type="range" min="1" max="${EVENTS}">`);
  await page.evaluate(MOVE);
  const times = await page.evaluate(MOVE);
  await page.close();
  return times;
}

async function open() {
  const page = await browser.newPage({ viewport });
  await page.addInitScript(`new MutationObserver((_, observer) => {
    if (document.querySelector("#sessions [role=option]") === null) return;
    observer.disconnect();
    requestAnimationFrame(() => { window.firstPageAt = performance.now(); });
  }).observe(document, { childList: true, subtree: true })`);
  await page.goto(base);
  await page.waitForSelector("#sessions [role=option]");
  const firstMs: number = await page
    .waitForFunction("window.firstPageAt")
    .then((handle: { jsonValue(): Promise<number> }) => handle.jsonValue());
  const openMs: number = await page.evaluate(`(async () => {
    const began = performance.now();
    location.hash = "ses_1";
    while (document.querySelector("input[type=range]")?.max !== "${EVENTS}" || !document.querySelector(".event")) await new Promise(requestAnimationFrame);
    return performance.now() - began;
  })()`);
  await page.evaluate(MOVE);
  return { page, firstMs, openMs };
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
}

/** Processor time of the page's main thread for each frame of a scrub, from a trace. */
async function workPerFrame(): Promise<number[]> {
  const { page } = await open();
  const inspector = await browser.newBrowserCDPSession();
  const events: TraceEvent[] = [];
  inspector.on("Tracing.dataCollected", ({ value }: { value: TraceEvent[] }) => events.push(...value));
  const includedCategories = ["devtools.timeline", "disabled-by-default-devtools.timeline"];
  await inspector.send("Tracing.start", { traceConfig: { includedCategories } });
  await page.evaluate(MOVE);
  const complete = new Promise((resolve) => inspector.once("Tracing.tracingComplete", resolve));
  await inspector.send("Tracing.end");
  await complete;
  await page.close();
  const called = events.filter(({ name }) => name === "FireAnimationFrame");
  const [{ pid, tid } = { pid: 0, tid: 0 }] = called;
  const tasks = events
    .filter((each) => each.name === "RunTask" && each.pid === pid && each.tid === tid)
    .sort((a, b) => a.ts - b.ts);
  // A frame is the task that calls for its animation, with what comes before the next.
  const work: number[] = [];
  for (const { ts, dur = 0, tdur = 0 } of tasks) {
    if (called.some((each) => each.ts >= ts && each.ts <= ts + dur)) work.push(0);
    if (work.length > 0) work.push((work.pop() ?? 0) + tdur / 1000);
  }
  return work;
}

const first: number[] = [];
const opened: number[] = [];
const frames: number[] = [];
const still: number[] = [];
for (let run = 0; run < RUNS + 1; run++) {
  const idle = await control();
  const { page, firstMs, openMs } = await open();
  const scrub: number[] = await page.evaluate(MOVE);
  await page.close();
  if (run < 1) continue;
  first.push(firstMs);
  opened.push(openMs);
  frames.push(...scrub);
  still.push(...idle);
}
const work = [...(await workPerFrame()), ...(await workPerFrame()), ...(await workPerFrame())];
await browser.close();
server.closeAllConnections();
server.close();

const dropped = (samples: readonly number[]): number =>
  samples.reduce((sum, ms) => sum + Math.max(0, Math.round(ms / FRAME_MS) - 1), 0);
const folder = join(dirname(manifest), "console");
const weight = readdirSync(folder).reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
const row = (name: string, samples: readonly number[]) => ({
  name,
  "p50 ms": round(spread(samples).p50),
  "p99 ms": round(spread(samples).p99),
});
report(
  "console",
  [
    row("first page", first),
    row("open 10,000 events", opened),
    row("scrubbing, a frame", frames),
    row("a slider that does nothing, a frame", still),
    row("the page's own work for a frame", work),
  ],
  {
    firstPageMs: round(spread(first).p50),
    open10kMs: round(spread(opened).p50),
    frameP50Ms: round(spread(frames).p50),
    frameP99Ms: round(spread(frames).p99),
    frameWorkP50Ms: round(spread(work).p50),
    frameWorkP99Ms: round(spread(work).p99),
    droppedFrames: dropped(frames),
    droppedByControl: dropped(still),
    frames: frames.length,
    compressedBytes: weight,
    sessions: SESSIONS,
  },
);
