/**
 * Browser sessions to the first answer of their page, their memory and the rate of their screencast, against plain
 * `playwright-core` without any sandbox, all in one run. Needs the packages bubblewrap, chromium and
 * chromium-headless-shell.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { findProgram } from "../../packages/tools/src/browser/chromium.ts";
import { type BrowserSession, Browsers } from "../../packages/tools/src/browser/index.ts";
import { BubblewrapBackend } from "../../packages/tools/src/bubblewrap/index.ts";
import { interleaved, report, round } from "../support/measure.ts";

const ROUNDS = Number(process.argv[2] ?? 15);
const SECONDS = 4;
const context = { principal: { tenant: "bench" } };
const viewport = { width: 1456, height: 819 };
const PROGRAMS = ["headless-shell", "chromium"] as const;
type Program = (typeof PROGRAMS)[number];
const { chromium } = createRequire(import.meta.url)("playwright-core");

const backend = new BubblewrapBackend();
const browsers = new Browsers({ backend });
for (const program of PROGRAMS) {
  const probe = await browsers.probe(program);
  if (!probe.ok) throw new Error(`${probe.reason} ${probe.remedy}`);
}

const answers = async (session: BrowserSession): Promise<void> => {
  await session.pages.front().send("Runtime.evaluate", { expression: "1 + 1" });
};
const ours = (program: Program) => async (): Promise<number> => {
  const start = performance.now();
  const session = await browsers.open(context, { program, viewport });
  await answers(session);
  const took = performance.now() - start;
  await session.close();
  return took;
};
const launch = (program: Program) =>
  chromium.launch({ executablePath: findProgram(program), args: ["--no-sandbox", "--disable-gpu"] });
const theirs = (program: Program) => async (): Promise<number> => {
  const start = performance.now();
  const browser = await launch(program);
  const page = await browser.newPage({ viewport });
  await page.evaluate("1 + 1");
  const took = performance.now() - start;
  await browser.close();
  return took;
};

for (const program of PROGRAMS) await theirs(program)();
const ready = await interleaved(ROUNDS, {
  "playwright-core, headless-shell": theirs("headless-shell"),
  "ashlar, headless-shell": ours("headless-shell"),
  "playwright-core, chromium": theirs("chromium"),
  "ashlar, chromium": ours("chromium"),
});

/** Every process of a control group, or below a process: the proportional share of memory, in MiB. */
function pss(belongs: (pid: string) => boolean): number {
  let total = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && belongs(name))) {
    try {
      total += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
    } catch {}
  }
  return total / 1024;
}
const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};
const below =
  (root: number) =>
  (pid: string): boolean => {
    for (let at = Number(pid); at > 1; at = Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${at}/status`))?.[1] ?? 0)) {
      if (at === root) return true;
    }
    return false;
  };

const ourPss = {} as Record<Program, number>;
const theirPss = {} as Record<Program, number>;
for (const program of PROGRAMS) {
  const session = await browsers.open(context, { program, viewport });
  await answers(session);
  ourPss[program] = pss((pid) => read(`/proc/${pid}/cgroup`).includes(session.sandbox.id));
  await session.close();
  const server = await chromium.launchServer({
    executablePath: findProgram(program),
    args: ["--no-sandbox", "--disable-gpu"],
  });
  const browser = await chromium.connect(server.wsEndpoint());
  const page = await browser.newPage({ viewport });
  await page.evaluate("1 + 1");
  theirPss[program] = pss(below(server.process().pid));
  await server.close();
}

const MOVING = `data:text/html,<body style="margin:0"><canvas width="1456" height="819"></canvas><script>
const paint = document.querySelector("canvas").getContext("2d"); let at = 0;
(function draw() { paint.fillStyle = "hsl(" + at++ + " 70%25 50%25)"; paint.fillRect(at * 3 % 1400, 0, 60, 819); requestAnimationFrame(draw); })();
</script>`;

/** Pictures a second that one watcher of each session got. */
async function rate(sessions: number): Promise<number> {
  const opened = await Promise.all(
    Array.from({ length: sessions }, () => browsers.open(context, { program: "headless-shell", viewport })),
  );
  await Promise.all(opened.map((session) => session.pages.front().navigate(MOVING, 10_000)));
  let pictures = 0;
  const ends = opened.map((session) => session.screencast.watch(() => void pictures++));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  pictures = 0;
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  const perSecond = (pictures / (performance.now() - start)) * 1_000;
  for (const end of ends) end();
  await Promise.all(opened.map((session) => session.close()));
  return perSecond / sessions;
}

/** The same page and settings over Playwright's own session of the protocol. */
async function plainRate(): Promise<number> {
  const browser = await launch("headless-shell");
  const page = await browser.newPage({ viewport });
  const cdp = await page.context().newCDPSession(page);
  await page.goto(MOVING);
  let pictures = 0;
  cdp.on("Page.screencastFrame", ({ sessionId }: { sessionId: number }) => {
    pictures++;
    cdp.send("Page.screencastFrameAck", { sessionId }).catch(() => {});
  });
  await cdp.send("Page.startScreencast", { format: "jpeg", quality: 70, maxWidth: 1456, maxHeight: 819 });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  pictures = 0;
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  const perSecond = (pictures / (performance.now() - start)) * 1_000;
  await browser.close();
  return perSecond;
}

const framesPerSecond = {
  one: round(await rate(1)),
  five: round(await rate(5)),
  playwrightOne: round(await plainRate()),
};
await browsers.close();
await backend.close();

const rows = Object.entries(ready).map(([what, { p50, p99, min, max }]) => ({
  what,
  ...{ readyP50Ms: round(p50), p99Ms: round(p99), minMs: round(min), maxMs: round(max) },
  pssMiB: round(
    (what.startsWith("ashlar") ? ourPss : theirPss)[what.endsWith("chromium") ? "chromium" : "headless-shell"],
  ),
}));
report("browser", rows, {
  readyP50Ms: {
    headlessShell: round(ready["ashlar, headless-shell"].p50),
    chromium: round(ready["ashlar, chromium"].p50),
  },
  pssMiB: { headlessShell: round(ourPss["headless-shell"]), chromium: round(ourPss.chromium) },
  framesPerSecond,
  ratioToPlaywright: {
    headlessShell: round(ready["playwright-core, headless-shell"].p50 / ready["ashlar, headless-shell"].p50),
    chromium: round(ready["playwright-core, chromium"].p50 / ready["ashlar, chromium"].p50),
  },
});
process.exit(0);
