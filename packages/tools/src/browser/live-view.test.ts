import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { WebSocket } from "ws";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Browsing, context, eventually, plainBrowser } from "./fixtures/browsing.ts";
import { type Site, startSite } from "./fixtures/site.ts";
import { BrowserServer, type BrowserSession, FolderRecordings } from "./index.ts";

const MARKUP = `</script><img src=x onerror="globalThis.owned = true"><script>globalThis.owned = true</script>\u202e`;
const FORM = `<title>Form</title><body style="margin: 0">
<input aria-label="Code" style="position: absolute; left: 100px; top: 100px; width: 300px; height: 40px">
<button style="position: absolute; left: 100px; top: 200px; width: 200px; height: 50px"
  onclick="document.title = 'sent ' + document.querySelector('input').value">Send</button>`;

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "the live view", () => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-live-"));
  const recordings = new FolderRecordings({ folder });
  let site: Site;
  let browsing: Browsing;
  let session: BrowserSession;
  let server: BrowserServer;
  let base: string;
  let people: Browser;

  beforeAll(async () => {
    site = await startSite({
      "/": FORM,
      "/hostile": `<script>document.title = ${JSON.stringify(MARKUP).replaceAll("<", "\\x3c")}; console.log(document.title)</script><h1>Hostile</h1>`,
      "/hostile-dialog": `<script>setTimeout(() => { confirm(${JSON.stringify(MARKUP).replaceAll("<", "\\x3c")}); document.title = "answered"; })</script>`,
      "/moving": `<title>Moving</title><div id="box" style="width: 300px; height: 300px"></div><script>
        let at = 0; setInterval(() => { box.style.background = "hsl(" + (at += 7) + " 80% 50%)"; }, 15);</script>`,
    });
    browsing = new Browsing({ egress: { allowPrivate: [site.host] }, recordings });
    session = await browsing.open({ network: { mode: "allow", hosts: [site.host] }, record: true });
    server = new BrowserServer({ session: (id) => browsing.browsers.get(id), recordings });
    base = `127.0.0.1:${(await server.listen()).port}`;
    people = await plainBrowser();
  }, 120_000);
  afterAll(async () => {
    await people.close();
    await server.close();
    await browsing[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function watching(by: string, mayControl = true): Promise<Page> {
    const page = await people.newPage({ viewport: { width: 1600, height: 900 } });
    await page.goto(`http://${base}${server.livePath(session, { by, mayControl })}`);
    await page.waitForSelector("#status:not(:text('Connecting'))");
    return page;
  }
  const frames = (page: Page): Promise<number> =>
    page.locator("canvas").evaluate((canvas) => Number(canvas.dataset.frames ?? 0));
  /** A point of the session's viewport, on the person's screen. */
  async function point(page: Page, x: number, y: number): Promise<[number, number]> {
    const box = (await page.locator("canvas").boundingBox()) ?? assert.fail();
    return [box.x + (x / 1456) * box.width, box.y + (y / 819) * box.height];
  }

  test("a person sees, takes over, types, presses, and gives back; the agent waits meanwhile", async () => {
    await session.navigate(site.origin);
    const page = await watching("Ada");
    await eventually("a picture is drawn", async () => (await frames(page)) > 0);
    await page.mouse.click(...(await point(page, 150, 220)));
    assert.equal(await page.textContent("#status"), "The agent is in control");
    await page.getByRole("button", { name: "Take over" }).click();
    await page.waitForSelector("#status:text('You are in control')");
    const waiting = session.snapshot();
    await page.mouse.click(...(await point(page, 200, 120)));
    await page.keyboard.type("Az-9é");
    await page.mouse.click(...(await point(page, 150, 220)));
    const other = await watching("Bob");
    assert.equal(await other.textContent("#status"), "Ada is in control");
    assert.equal(await other.getByRole("button", { name: "Take over" }).isDisabled(), true);
    await other.close();
    assert.equal(session.control.holder?.by, "Ada");
    await page.getByRole("button", { name: "Give back" }).click();
    assert.match(await waiting, /button "Send"/);
    await session.input("look", "", async () => {});
    assert.equal(session.list()[0]?.title, "sent Az-9é");
    const deeds = (await page.locator('li[data-by="person"]').allTextContents()).join("|");
    assert.match(deeds, /took over\|.*click.*typed.*click.*gave the control back/);
    await page.close();
  });

  test("who only watches cannot act, and a closed view gives the control back", async () => {
    const page = await watching("Eve", false);
    assert.equal(await page.getByRole("button", { name: "Take over" }).isDisabled(), true);
    await page.close();
    const ada = await watching("Ada");
    await ada.getByRole("button", { name: "Take over" }).click();
    await eventually("she is in control", () => session.control.holder?.by === "Ada");
    await ada.close();
    await eventually("nobody is", () => session.control.holder === undefined);
  });

  test("a slow viewer gets the newest picture, and holds up nobody", async () => {
    await session.navigate(`${site.origin}/moving`);
    const quick = await watching("Ada");
    const path = server.livePath(session, { by: "Slow" });
    const slow = new WebSocket(`ws://${base}${path.split("#")[0]}`, ["ashlar.live", path.split("#")[1] ?? ""], {
      headers: { origin: `http://${base}` },
    });
    let pictures = 0;
    slow.on("message", (_, binary) => {
      if (binary) pictures += 1;
    });
    await once(slow, "open");
    await eventually("the quick one has twenty", async () => (await frames(quick)) > 20);
    assert.equal(pictures, 2);
    slow.send(JSON.stringify({ type: "drawn" }));
    await eventually("one more comes", () => pictures === 3);
    for (const odd of ["", "{}", '{"type":"mouse","x":1e999}', '{"type":"key","event":"down","key":{}}', "\u0000"])
      slow.send(odd);
    slow.send(JSON.stringify({ type: "mouse", event: "down", x: 1, y: 1 }));
    const said: string[] = [];
    slow.on("message", (data, binary) => void (binary || said.push(String(data))));
    await eventually("it hears of it", () => said.some((each) => each.includes("Take over first")));
    slow.close();
    await quick.close();
  });

  hostile("titles, dialogs and console lines of a page in the live view", {
    control: "in a view that puts them into its markup they run",
    async unguarded() {
      const view = createServer((_, response) =>
        response
          .writeHead(200, { "content-type": "text/html" })
          .end(
            `<h1></h1><script>document.querySelector("h1").innerHTML = ${JSON.stringify(MARKUP).replaceAll("</", "<\\/")}</script>`,
          ),
      ).listen(0, "127.0.0.1");
      await once(view, "listening");
      const page = await people.newPage();
      await page.goto(`http://127.0.0.1:${(view.address() as AddressInfo).port}/`);
      await page.waitForFunction("globalThis.owned === true");
      await page.close();
      view.close();
    },
    async guarded() {
      const page = await watching("Ada");
      const violations: string[] = [];
      page.on("console", (message) => void violations.push(message.text()));
      await session.navigate(`${site.origin}/hostile`);
      await page.waitForSelector("li[data-kind=console]");
      assert.match(await page.title(), /<img src=x/);
      await session.openPage();
      await page.waitForSelector("#tabs button");
      assert.match((await page.textContent("#tabs")) ?? "", /<img src=x[^\u202e]*$/);
      await session.closePage(session.list().at(-1)?.id ?? "");
      await session.navigate(`${site.origin}/hostile-dialog`);
      await page.waitForSelector("#dialog[open]");
      assert.match((await page.textContent("#question")) ?? "", /<script>globalThis\.owned/);
      await page.getByRole("button", { name: "Take over" }).click();
      await page.waitForSelector("#accept:not([disabled])");
      await page.getByRole("button", { name: "OK" }).click();
      await page.waitForSelector("#dialog:not([open])", { state: "attached" });
      await page.getByRole("button", { name: "Give back" }).click();
      assert.equal(await page.evaluate("globalThis.owned"), undefined);
      assert.equal(await page.locator("aside img, header img, dialog img, aside script").count(), 0);
      assert.deepEqual(violations, []);
      const { headers } = await fetch(`http://${base}/live/${session.id}`);
      assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'; script-src 'self'/);
      await page.close();
    },
  });

  test("the recording plays back, without what was typed", async () => {
    await session.close();
    const log = Buffer.from((await recordings.read(context, session.id, "log")) ?? []).toString();
    assert.match(log, /"by":"person","name":"click"/);
    assert.doesNotMatch(log, /Az-9/);
    const page = await people.newPage({ viewport: { width: 1600, height: 900 } });
    await page.goto(`http://${base}${server.recordingPath(session.id, { principal: context.principal, by: "Ada" })}`);
    await page.waitForSelector("canvas[data-frame]");
    const first = await page.locator("canvas").getAttribute("data-frame");
    await page.getByRole("button", { name: "1×" }).click();
    await page.getByRole("button", { name: "Play" }).click();
    await eventually("it moves on", async () => (await page.locator("canvas").getAttribute("data-frame")) !== first);
    await page.locator('li[data-by="person"]').first().click();
    assert.equal(await page.locator("body").getAttribute("data-holder"), "person");
    const other = server.recordingPath(session.id, { principal: { tenant: "other" }, by: "Eve" });
    await page.goto("about:blank");
    await page.goto(`http://${base}${other}`);
    await page.waitForSelector("#status:text('There is no such recording')");
    await page.close();
  });
});
