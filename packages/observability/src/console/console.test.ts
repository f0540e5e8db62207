import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { InMemoryTraceStore } from "../in-memory/index.ts";
import { PriceTable } from "../price-table.ts";
import { InMemorySessions } from "../testing/in-memory-sessions.ts";
import { sessionEventFixture } from "../testing/session-event-fixture.ts";
import { spanFixture, traceIdOf } from "../testing/span-fixture.ts";
import { consoleHandler } from "./console-handler.ts";
import { ticketSession, ticketSpans } from "./fixtures/ticket-session.ts";

const TICKET = "ses_000900";
const acme = { principal: { tenant: "acme" } };
const start = Date.UTC(2026, 0, 5, 3);
const sessions = new InMemorySessions();
const traces = new InMemoryTraceStore();
let effect: "allow" | "deny" = "allow";
const handler = consoleHandler({
  reader: sessions,
  control: sessions,
  traces,
  pricing: new PriceTable({ models: { "*": { inputPerMillion: 3, outputPerMillion: 15 } } }),
  permissions: { decide: async () => ({ effect, reason: "by the test's policy" }) },
  authenticate: async (request) => (request.headers.get("x-stranger") ? undefined : acme.principal),
  liveEveryMs: 20,
  evaluations: async () => [
    { version: "1", evaluations: evaluated([0.4, 0.5, 0.6]) },
    { version: "2", evaluations: evaluated([0.9, 1, 0.9]) },
  ],
});
const evaluated = (scores: readonly number[]) =>
  scores.map((score, index) => ({
    id: `T-${index}`,
    session: "ses_000003",
    evaluator: "refunds what is owed",
    judgement: { score },
  }));

const EVIL = `<img src=x onerror="document.title='owned'"><svg onload="document.title='owned'"><script>document.title='owned'</script>[x](javascript:document.title='owned')`;
const types = [
  "message.user",
  "turn.started",
  "model.completed",
  "step.started",
  "step.completed",
  "memory.recalled",
  "policy.decided",
  "step.failed",
  "session.recovered",
  "message.agent",
];
const texts = [
  "Customer reports a duplicate charge on T-9421",
  "turn 1",
  "I will look at the charges first.",
  "tickets.read",
  "two charges of 49.00 EUR, eleven seconds apart",
  "prefers answers in German",
  "allow tickets.refund by policy refunds-under-100",
  "tickets.refund: connection reset",
  "another worker took the session over",
  "Refunded 49.00 EUR; the customer has been told.",
];

function addSession(number: number, count: number, parts: { agent?: string; text?: string; status?: string } = {}) {
  const id = `ses_${String(number).padStart(6, "0")}`;
  const at = start + number * 60_000;
  sessions.add(
    {
      id,
      agent: parts.agent ?? ["ticket-resolver", "researcher", "nightly-report"][number % 3] ?? "a",
      status: parts.status ?? ["running", "ended", "idle"][number % 3] ?? "idle",
      startedAt: at,
      activeMs: 900,
    },
    Array.from({ length: count }, (_, index) =>
      sessionEventFixture({
        session: id,
        seq: index + 1,
        at: at + index * 220 + (index % 10 === 8 ? 4000 : 0),
        type: types[index % 10] ?? "x",
        fence: index < 8 ? "1:a" : "2:b",
        ...(index % 10 === 7 ? { attempt: 2, step: "refund" } : {}),
        body: { text: parts.text ?? texts[index % 10] ?? "" },
      }),
    ),
  );
  return id;
}

describeWith([parts.chromium], "the console in Chromium", () => {
  let browser: Browser;
  let server: ReturnType<typeof createServer>;
  let base = "";
  let down = false;

  beforeAll(async () => {
    for (let number = 1; number <= 60; number++) addSession(number, 10);
    const ticket = { id: TICKET, agent: "ticket-resolver", status: "waiting", startedAt: start, activeMs: 5200 };
    sessions.add({ ...ticket, startedAt: start + 54e6 }, ticketSession(TICKET, start));
    sessions.append(TICKET, "approval.requested", {
      ...{ request: "apr_1", action: "tool.call", resource: "reply_to_ticket" },
      ...{ reason: "a person reads what customers are told", arguments: { ticket_id: "T-9421" } },
    });
    addSession(901, 3, { agent: EVIL, text: EVIL, status: EVIL });
    const evil = spanFixture({
      traceId: traceIdOf(9),
      name: EVIL,
      attributes: { "gen_ai.conversation.id": "ses_000901", x: EVIL },
    });
    await traces.append(acme, [...ticketSpans(TICKET, start), evil]);
    server = createServer(async (request, response) => {
      if (down) return void response.destroy();
      const body = request.method === "POST" ? { body: Readable.toWeb(request) as ReadableStream, duplex: "half" } : {};
      const answer = await handler(
        new Request(`http://console.test${request.url}`, {
          method: request.method ?? "GET",
          headers: request.headers as Record<string, string>,
          ...body,
        } as RequestInit),
      );
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      if (answer.body === null) return void response.end();
      const source = Readable.fromWeb(answer.body as never);
      response.on("close", () => source.destroy());
      source.on("error", () => {});
      source.pipe(response);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/console/`;
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  const picture = async (page: Page, name: string) => {
    if (process.env.ASHLAR_PICTURES !== "1") return;
    const folder = fileURLToPath(new URL("../../../../docs/images/", import.meta.url));
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: `${folder}console-${name}.png` });
  };
  const openPage = async (hash = "", options = {}) => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
    page.setDefaultTimeout(10_000);
    await page.goto(base + hash);
    return page;
  };

  test("every view of a session, by keyboard, while it goes on", async () => {
    const page = await openPage();
    await page.locator("#sessions [role=option]").first().waitFor();
    expect(await page.locator("main").textContent()).toContain("Choose a session");
    await page.keyboard.press("/");
    await page.keyboard.type("000900");
    await page.locator("#count", { hasText: "1" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".event").first().waitFor();
    await page.locator(".live.on").waitFor();
    await page.locator("#search").fill("");
    const facts = page.locator(".facts");
    await facts.getByText("10,650 in, 134 out").waitFor();
    expect(await facts.textContent()).toMatch(/Workers2Retries2.*Cost0\.0340 USD/);
    await page.locator(".event.memory", { hasText: "Prefers short answers" }).click();
    await page.locator("aside h2", { hasText: "step.completed" }).waitFor();
    sessions.append(TICKET, "user.message", { text: "are you there?" });
    await page.locator("#events").focus();
    await page.keyboard.press("End");
    await page.locator(".event", { hasText: "are you there?" }).waitFor();
    expect(await page.locator(".event.taken .marks", { hasText: "another worker" }).count()).toBe(1);
    await page.locator(".event.bad", { hasText: "attempt 2" }).click();
    await page.keyboard.press("[");
    await page.keyboard.press("]");
    await page.locator("aside", { hasText: "connection reset" }).waitFor();
    await picture(page, "timeline");

    await page.keyboard.press("m");
    await page.locator(".said.user", { hasText: "duplicate charge" }).waitFor();
    await page.locator(".said.tool summary", { hasText: "execute_code" }).click();
    await picture(page, "transcript");
    await page.keyboard.press("s");
    await page.locator(".span.bad").click();
    await page.locator("aside", { hasText: "ECONNRESET" }).waitFor();
    expect(await page.locator(".span.open", { hasText: "not ended" }).count()).toBe(2);
    await page.keyboard.press("z");
    await page.keyboard.press("z");
    await picture(page, "spans");
    await page.keyboard.press("d");
    await page.locator(".decision.memory", { hasText: "1 record" }).waitFor();
    await page.locator(".decision.policy", { hasText: "refunds up to 500" }).first().click();
    await picture(page, "decisions");
    await page.keyboard.press("c");
    await page.locator("#usage tr.worse", { hasText: "refund_charge" }).waitFor();
    await picture(page, "cost");
    await page.keyboard.press("?");
    await page.locator("dialog[open]", { hasText: "zoom to the chosen span" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("tab", { name: "Timeline" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.locator("#transcript").waitFor();

    await page.emulateMedia({ colorScheme: "dark" });
    await page.keyboard.press("t");
    await picture(page, "dark");
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.locator("nav").isVisible()).toBe(false);
    await page.locator("#events").press("Home");
    await page.locator(".event:visible", { hasText: "duplicate charge" }).waitFor();
    await picture(page, "phone");
    await page.getByRole("link", { name: "‹ Sessions" }).click();
    await page.locator("#sessions [role=option]").first().waitFor();
    await picture(page, "phone-sessions");
    await page.close();
  });

  test("filters are the server's, and a search looks through sessions that are not shown yet", async () => {
    const page = await openPage();
    await page.locator("#sessions [role=option]").first().waitFor();
    await page.locator("#status").selectOption("ended");
    await page.locator("#count", { hasText: /^20$/ }).waitFor();
    await page.locator("#agent").selectOption("nightly-report");
    await page.locator("#sessions[data-empty*='No session fits']").waitFor();
    await page.locator("#status").selectOption("");
    await page.locator("#agent").selectOption("");
    await page.route("**/api/sessions?*", async (route) => {
      const url = new URL(route.request().url());
      if (url.searchParams.get("limit") === "100") url.searchParams.set("limit", "5");
      await route.continue({ url: url.href });
    });
    await page.reload();
    await page.locator("#search").fill("ses_000001");
    await page.locator("#sessions [role=option]", { hasText: "ses_000001" }).waitFor();
    expect(await page.locator("#count").textContent()).toBe("1");
    await page.close();
  });

  test("approve, fork and kill, each once; a denied action says why", async () => {
    const [one, two] = [await openPage(`#${TICKET}`), await openPage(`#${TICKET}`)];
    await two.route("**/live**", (route) => route.abort());
    await two.reload();
    await Promise.all([one, two].map((page) => page.locator(".approval").waitFor()));
    await one.getByRole("button", { name: "Approve" }).click();
    await one.locator(".approval").waitFor({ state: "detached" });
    await two.getByRole("button", { name: "Deny" }).click();
    await two.locator("#say", { hasText: "answered already" }).waitFor();
    effect = "deny";
    await one.getByRole("button", { name: "Kill" }).click();
    await one.getByRole("button", { name: "Confirm" }).click();
    await one.locator("#say", { hasText: "by the test's policy" }).waitFor();
    effect = "allow";
    await one.getByRole("button", { name: "Fork here" }).click();
    await one.getByRole("button", { name: "Confirm" }).click();
    await one.waitForURL(/fork/);
    for (const expected of ["was killed", "ended already"]) {
      await two.getByRole("button", { name: "Kill" }).click();
      await two.getByRole("button", { name: "Confirm" }).click();
      await two.locator("#say", { hasText: expected }).waitFor();
    }
    await one.close();
    await two.close();
  });

  test("a transcript, a fork beside its origin, a check against the record, evaluations side by side", async () => {
    const resolved = { id: "ses_000960", agent: "ticket-resolver", status: "idle", startedAt: start, activeMs: 5200 };
    sessions.add(resolved, ticketSession(resolved.id, start));
    sessions.append("ses_000960", "agent.message", { text: "Refunded." });
    const page = await openPage("#ses_000960");
    await page.locator(".event").first().waitFor();
    await page.keyboard.press("m");
    await page.locator(".said.agent", { hasText: "Refunded." }).waitFor();
    await page.getByRole("button", { name: "Check" }).click();
    await page.locator("#say", { hasText: "does what the record says" }).waitFor();

    const { id } = await sessions.fork(acme, "ses_000960", { afterSeq: 23 });
    sessions.append(id, "session.forked", { from: "ses_000960" });
    sessions.append(id, "step.completed", { recorded: true, output: { content: "refunded 169.00 EUR, once" } });
    sessions.append(id, "agent.message", { text: "We are sorry." });
    await page.goto(`${base}#${id}`);
    await page.getByRole("button", { name: "Compare with origin" }).click();
    await page.locator(".pair", { hasText: "We are sorry." }).click();
    await page.locator("aside", { hasText: "We are sorry." }).waitFor();
    await page.locator(".head", { hasText: "The first 23 events are the same." }).waitFor();
    await picture(page, "side-by-side");

    await page.getByRole("link", { name: "Evaluations" }).click();
    await page.locator("tr.better", { hasText: "0.43" }).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(4);
    await picture(page, "evaluations");
    await page.close();
  });

  hostile("a stale page acting on an ended session", {
    control: "the page that lost its live view still offers the action, and sends it",
    async unguarded() {
      addSession(970, 2, { status: "running" });
      const stale = await openPage("#ses_000970");
      await stale.route("**/live**", (route) => route.abort());
      await stale.reload();
      await stale.locator(".event").first().waitFor();
      await sessions.kill(acme, "ses_000970");
      await stale.getByRole("button", { name: "Kill" }).click();
      const sent = stale.waitForRequest(/\/kill$/);
      await stale.getByRole("button", { name: "Confirm" }).click();
      await sent;
      await stale.close();
    },
    async guarded() {
      addSession(971, 2, { status: "running" });
      sessions.append("ses_000971", "approval.requested", { request: "apr_2", name: "tickets.refund" });
      const stale = await openPage("#ses_000971");
      await stale.route("**/live**", (route) => route.abort());
      await stale.reload();
      await stale.locator(".approval").waitFor();
      await sessions.kill(acme, "ses_000971");
      const { items: before } = await sessions.events(acme, "ses_000971");
      await stale.getByRole("button", { name: "Kill" }).click();
      await stale.getByRole("button", { name: "Confirm" }).click();
      await stale.locator("#say", { hasText: "ended already" }).waitFor();
      await stale.getByRole("button", { name: "Approve" }).click();
      await stale.locator("#say", { hasText: "ended already" }).waitFor();
      expect((await sessions.events(acme, "ses_000971")).items).toEqual(before);
      await stale.close();
      const fresh = await openPage("#ses_000971");
      await fresh.locator(".event").first().waitFor();
      expect(await fresh.locator(".approval").count()).toBe(0);
      await fresh.close();
    },
  });

  hostile("clock skew between machines in the page", {
    control: "by their clocks alone the events stand in another order than they were written",
    async unguarded() {
      const at = (seq: number) => (seq === 2 ? start - 60_000 : start + seq);
      expect([1, 2, 3].toSorted((a, b) => at(a) - at(b))).toEqual([2, 1, 3]);
    },
    async guarded() {
      const id = "ses_000980";
      const skewed = [1, 2, 3].map((seq) =>
        sessionEventFixture({
          session: id,
          seq,
          at: seq === 2 ? start - 60_000 : start + seq,
          body: { text: `e${seq}` },
        }),
      );
      sessions.add({ id, agent: "skewed", status: "idle", startedAt: start, activeMs: 1 }, skewed);
      const page = await openPage(`#${id}`);
      await page.locator(".event", { hasText: "clock -1 min" }).waitFor();
      const texts = await page.locator(".event .text").allTextContents();
      expect(texts).toEqual(["e1", "e2", "e3"]);
      await page.close();
    },
  });

  hostile("markup and links in every field a user, model or tool can fill", {
    control: "put into a page as HTML, the same text runs",
    async unguarded() {
      const page = await browser.newPage();
      await page.setContent("<div id=x></div>");
      await page.evaluate(`document.getElementById("x").innerHTML = ${JSON.stringify(EVIL)}`);
      await page.waitForFunction("document.title === 'owned'", undefined, { timeout: 5000 });
      await page.close();
    },
    async guarded() {
      const page = await openPage("#ses_000901");
      await page.locator(".event", { hasText: "<img src=x" }).first().waitFor({ timeout: 5000 });
      await page.locator(".agent", { hasText: "<svg onload" }).first().waitFor({ timeout: 5000 });
      for (const key of ["m", "s", "d", "c"]) await page.keyboard.press(key);
      await page.keyboard.press("s");
      await page.locator(".span", { hasText: "<img src=x" }).click();
      await page.locator("aside dd", { hasText: "<script>" }).waitFor();
      expect(await page.title()).toBe("Console");
      expect(
        await page.locator("main img, main svg, main script, main a:not(.back), nav img, nav script").count(),
      ).toBe(0);
      const response = await page.request.get(base);
      expect(response.headers()["content-security-policy"]).toContain("default-src 'none'");
      await page.close();
    },
  });

  hostile("a store that goes away while the page is open", {
    control: "without the server a new page shows nothing",
    async unguarded() {
      down = true;
      const page = await browser.newPage();
      await expect(page.goto(base)).rejects.toThrow();
      await page.close();
      down = false;
    },
    async guarded() {
      const page = await openPage("#ses_000001");
      await page.locator(".live.on").waitFor();
      down = true;
      server.closeAllConnections();
      await page.locator(".live", { hasText: "not connected" }).waitFor();
      expect(await page.locator(".event").count()).toBe(10);
      down = false;
      sessions.append("ses_000001", "message.user", { text: "back again" });
      await page.locator(".event", { hasText: "back again" }).waitFor();
      expect(await page.locator(".event").count()).toBe(11);
      await page.close();
    },
  });

  hostile("an action sent from another site's page", {
    control: "the same request from the console's own page is taken",
    async unguarded() {
      addSession(950, 2);
      const headers = { "x-ashlar-console": "1", "sec-fetch-site": "same-origin" };
      expect(
        (await handler(new Request("http://h/console/api/sessions/ses_000950/kill", { method: "POST", headers })))
          .status,
      ).toBe(200);
    },
    async guarded() {
      addSession(951, 2);
      for (const headers of [{}, { "x-ashlar-console": "1", "sec-fetch-site": "cross-site" }]) {
        expect(
          (
            await handler(
              new Request("http://h/console/api/sessions/ses_000951/kill", {
                method: "POST",
                headers: headers as Record<string, string>,
              }),
            )
          ).status,
        ).toBe(403);
      }
      expect((await handler(new Request("http://h/console/api/me", { headers: { "x-stranger": "1" } }))).status).toBe(
        401,
      );
    },
  });
});
