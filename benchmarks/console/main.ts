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
const RUNS = 9;
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

const first: number[] = [];
const opened: number[] = [];
const frames: number[] = [];
const idle: number[] = [];
const work: number[] = [];
const STEPS = 120;
for (let run = 0; run < RUNS + 2; run++) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
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
  // The same frames with nothing to do first: what the machine itself drops is no page's fault.
  const measured = async (moves: boolean): Promise<number[]> =>
    page.evaluate(`(async () => {
      const range = document.querySelector("input[type=range]");
      const times = [];
      let before = await new Promise(requestAnimationFrame);
      for (let step = 1; step <= ${STEPS}; step++) {
        if (${moves}) {
          range.value = step * 83;
          range.dispatchEvent(new Event("input"));
        }
        const now = await new Promise(requestAnimationFrame);
        times.push(now - before);
        before = now;
      }
      return times;
    })()`);
  const still = await measured(false);
  const inspector = await page.context().newCDPSession(page);
  await inspector.send("Performance.enable", { timeDomain: "threadTicks" });
  const busyMs = async (): Promise<number> => {
    const { metrics } = await inspector.send("Performance.getMetrics");
    return metrics.find(({ name }: { name: string }) => name === "TaskDuration").value * 1000;
  };
  const from = await busyMs();
  const scrub = await measured(true);
  const perFrameMs = ((await busyMs()) - from) / STEPS;
  await page.close();
  if (run < 2) continue;
  first.push(firstMs);
  opened.push(openMs);
  frames.push(...scrub);
  idle.push(...still);
  work.push(perFrameMs);
}
await browser.close();
server.closeAllConnections();
server.close();

const dropped = (samples: readonly number[]): number => samples.filter((ms) => ms > 25).length;
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
    row("the same frames, idle", idle),
    row("the page's own work for a frame", work),
  ],
  {
    firstPageMs: round(spread(first).p50),
    open10kMs: round(spread(opened).p50),
    frameP50Ms: round(spread(frames).p50),
    frameP99Ms: round(spread(frames).p99),
    frameWorkMs: round(spread(work).p50),
    droppedFrames: dropped(frames),
    droppedWhenIdle: dropped(idle),
    frames: frames.length,
    compressedBytes: weight,
    sessions: SESSIONS,
  },
);
