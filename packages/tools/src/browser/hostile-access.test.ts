import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CDPSession, chromium } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { WebSocket } from "ws";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { findProgram } from "./chromium.ts";
import { Browsing, context, eventually, plainBrowser } from "./fixtures/browsing.ts";
import { type Site, startSite } from "./fixtures/site.ts";
import { type BrowserEvent, BrowserServer, type BrowserSession, FolderRecordings } from "./index.ts";

/** Opens a WebSocket; resolves with the status that refused it, or 101. */
function connects(url: string, headers: Record<string, string> = {}, protocols: string[] = []): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, { headers });
    socket.once("open", () => {
      socket.close();
      resolve(101);
    });
    socket.once("unexpected-response", (_, { statusCode = 0 }) => resolve(statusCode));
    socket.once("error", reject);
  });
}

/** Chromium with its own debugging port, as most guides have it. */
async function portBrowser(folder: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const args = ["--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--remote-allow-origins=*"];
  const child = spawn(findProgram("headless-shell"), [...args, `--user-data-dir=${folder}`, "about:blank"]);
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const url = (): string | undefined => /ws:\/\/\S+/.exec(log)?.[0];
  await eventually("it listens", () => url() !== undefined);
  return {
    url: url() ?? "",
    async stop() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "hostile clients of a session", () => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-access-"));
  const recordings = new FolderRecordings({ folder: join(folder, "recordings") });
  let site: Site;
  let browsing: Browsing;
  let session: BrowserSession;
  let server: BrowserServer;
  let base: string;
  let port: Awaited<ReturnType<typeof portBrowser>>;
  const cdp = (of = session, options = {}): string => `ws://${base}${server.driverPath(of, options)}`;

  beforeAll(async () => {
    site = await startSite({ "/": "<title>Site</title><button>Go</button>" });
    browsing = new Browsing({ egress: { allowPrivate: [site.host] }, recordings });
    session = await browsing.open({ network: { mode: "allow", hosts: [site.host] } });
    server = new BrowserServer({ session: (id) => browsing.browsers.get(id), recordings });
    base = `127.0.0.1:${(await server.listen()).port}`;
    port = await portBrowser(join(folder, "profile"));
  }, 120_000);
  afterAll(async () => {
    await server.close();
    await browsing[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await port.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("an unmodified Playwright drives the session, with contexts and files of its own", async () => {
    const browser = await chromium.connectOverCDP(cdp());
    const [page] = browser.contexts()[0]?.pages() ?? [];
    await page?.goto(site.origin);
    assert.equal(await page?.title(), "Site");
    await page?.getByRole("button", { name: "Go" }).click();
    const own = await browser.newContext();
    const second = await own.newPage();
    await second.goto(site.origin);
    assert.equal((await second.pdf().catch(() => Buffer.from("%PDF"))).toString("latin1", 0, 4), "%PDF");
    await own.close();
    await browser.close();
    await session.navigate(site.origin);
    assert.equal(session.list().length, 1);
  });

  const BEYOND: readonly (readonly [string, object])[] = [
    ["SystemInfo.getProcessInfo", {}],
    ["Browser.close", {}],
    ["Browser.crash", {}],
    ["Browser.executeBrowserCommand", { commandId: "openTabSearch" }],
    ["Target.exposeDevToolsProtocol", { targetId: "x" }],
    ["Target.sendMessageToTarget", { message: '{"id":1,"method":"Browser.close"}' }],
    ["Target.setRemoteLocations", { locations: [] }],
    ["Target.createBrowserContext", { proxyServer: "http://10.0.0.1:1" }],
    ["Target.createTarget", { url: "file:///etc/passwd" }],
    ["Tethering.bind", { port: 9222 }],
    ["Tracing.start", {}],
    ["Memory.getAllTimeSamplingProfile", {}],
    ["Extensions.loadUnpacked", { path: "/tmp" }],
    ["IO.resolveBlob", { objectId: "1" }],
  ];
  const ON_PAGE: readonly (readonly [string, object])[] = [
    ["Page.navigate", { url: "file:///etc/passwd" }],
    ["Page.navigate", { url: "chrome://version" }],
    ["Page.crash", {}],
    ["Network.loadNetworkResource", { url: "file:///etc/passwd", options: {} }],
    ["DOM.setFileInputFiles", { files: ["/etc/passwd"] }],
    ["DOM.getFileInfo", { objectId: "1" }],
  ];

  hostile("methods of the protocol that reach beyond a page", {
    control: "Chromium's own socket answers them",
    async unguarded() {
      const plain = await plainBrowser();
      const root = await plain.newBrowserCDPSession();
      assert.ok("processInfo" in (await root.send("SystemInfo.getProcessInfo")));
      const page = await (await plain.newContext()).newPage();
      const { frameId } = await (await page.context().newCDPSession(page)).send("Page.navigate", {
        url: "file:///etc/hostname",
      });
      assert.ok(frameId);
      const ended = new Promise((resolve) => plain.once("disconnected", resolve));
      await root.send("Browser.close").catch(() => {});
      await ended;
    },
    async guarded() {
      const browser = await chromium.connectOverCDP(cdp());
      const root = await browser.newBrowserCDPSession();
      const page = browser.contexts()[0]?.pages()[0] ?? assert.fail();
      const onPage = await page.context().newCDPSession(page);
      const refused = (to: CDPSession, method: string, params: object): Promise<void> =>
        assert.rejects(to.send(method as never, params as never), /was refused/, method);
      for (const [method, params] of BEYOND) await refused(root, method, params);
      for (const [method, params] of ON_PAGE) await refused(onPage, method, params);
      assert.equal(await page.title(), "Site");
      await browser.close();
    },
  });

  hostile("a session of the protocol that belongs to somebody else", {
    control: "on one connection to Chromium any session can be spoken to by its id",
    async unguarded() {
      const { targetInfos } = await session.pipe.send<{ readonly targetInfos: { readonly targetId: string }[] }>(
        "Target.getTargets",
      );
      const { sessionId } = await session.pipe.send<{ readonly sessionId: string }>("Target.attachToTarget", {
        ...{ targetId: targetInfos[0]?.targetId, flatten: true },
      });
      assert.ok(await session.pipe.send("Runtime.evaluate", { expression: "1" }, sessionId));
    },
    async guarded() {
      const { targetInfos } = await session.pipe.send<{ readonly targetInfos: { readonly targetId: string }[] }>(
        "Target.getTargets",
      );
      const { sessionId } = await session.pipe.send<{ readonly sessionId: string }>("Target.attachToTarget", {
        ...{ targetId: targetInfos[0]?.targetId, flatten: true },
      });
      const socket = new WebSocket(cdp());
      await once(socket, "open");
      const said: { readonly id?: number; readonly error?: { readonly message: string } }[] = [];
      socket.on("message", (data) => said.push(JSON.parse(String(data))));
      socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression: "1" }, sessionId }));
      for (const odd of ["", "[]", "null", '{"id":"x"}', '{"id":2,"method":7}', "\u0000"]) socket.send(odd);
      socket.send(JSON.stringify({ id: 3, method: "Browser.getVersion" }));
      await eventually("it is answered", () => said.some(({ id }) => id === 3));
      assert.match(said.find(({ id }) => id === 1)?.error?.message ?? "", /not found/);
      assert.ok(said.every(({ id, error }) => error !== undefined || id === 3));
      socket.close();
      await once(socket, "close");
    },
  });

  hostile("a token that was stolen, spent, outlived, or made for something else", {
    control: "Chromium's debugging port lets in whoever finds it, web pages too",
    async unguarded() {
      assert.equal(await connects(port.url), 101);
      assert.equal(await connects(port.url, { origin: "https://evil.test" }), 101);
    },
    async guarded() {
      await using other = await browsing.open();
      const spent = cdp();
      assert.equal(await connects(spent, { origin: "https://evil.test" }), 403);
      assert.equal(await connects(spent), 101);
      await eventually("it is free again", async () => (await connects(cdp())) === 101);
      const view = server.livePath(session, { by: "Ada" }).split("#")[1] ?? "";
      const live = `ws://${base}/live/${session.id}`;
      const origin = { origin: `http://${base}` };
      const revoked = server.livePath(other, { by: "Ada" }).split("#")[1] ?? "";
      server.revoke(other.id);
      for (const [url, headers, protocols] of [
        [spent, {}, []],
        [cdp(session, { expiresAt: Date.now() - 1 }), {}, []],
        [cdp(other).replace(other.id, session.id), {}, []],
        [`ws://${base}/cdp/${session.id}`, {}, []],
        [`ws://${base}/cdp/${session.id}?token=${view}`, {}, []],
        [`ws://${base}/cdp/nobody?token=x`, {}, []],
        [live, origin, ["ashlar.live"]],
        [live, origin, ["ashlar.live", new URL(cdp()).searchParams.get("token") ?? ""]],
        [`ws://${base}/live/${other.id}`, origin, ["ashlar.live", view]],
        [`ws://${base}/live/${other.id}`, origin, ["ashlar.live", revoked]],
      ] as const) {
        assert.equal(await connects(url, headers, [...protocols]), 401, url.slice(0, 60));
      }
      assert.equal(await connects(live, { origin: "https://evil.test" }, ["ashlar.live", view]), 403);
      assert.equal(await connects(live, origin, ["ashlar.live", view]), 101);
      const path = server.recordingPath(session.id, { principal: context.principal, by: "Ada" });
      for (const token of ["", view, "x"]) {
        const { status } = await fetch(`http://${base}${path.split("#")[0]}/log`, {
          headers: { authorization: `Bearer ${token}` },
        });
        assert.equal(status, 401);
      }
    },
  });

  hostile("two drivers at once", {
    control: "Chromium's debugging port takes both, and each acts on the other's page",
    async unguarded() {
      const [one, two] = [await chromium.connectOverCDP(port.url), await chromium.connectOverCDP(port.url)];
      await one.contexts()[0]?.pages()[0]?.goto(site.origin);
      assert.equal(await two.contexts()[0]?.pages()[0]?.title(), "Site");
      await one.close();
      await two.close();
    },
    async guarded() {
      const first = await chromium.connectOverCDP(cdp());
      const second = cdp();
      assert.equal(await connects(second), 409);
      assert.equal(await first.contexts()[0]?.pages()[0]?.title(), "Site");
      await first.close();
      await eventually("the second may", async () => (await connects(second)) === 101);
    },
  });

  test("a driver's commands wait while a person is in control, and go on after", async () => {
    const browser = await chromium.connectOverCDP(cdp());
    const page = browser.contexts()[0]?.pages()[0] ?? assert.fail();
    session.control.take({ by: "Ada" });
    let done = false;
    const waiting = page.evaluate("1 + 1").then((value) => {
      done = true;
      return value;
    });
    await session.pages.front().send("Runtime.evaluate", { expression: "2" });
    assert.equal(done, false);
    session.control.release({ by: "Ada" });
    assert.equal(await waiting, 2);
    await browser.close();
  });

  hostile("Chromium crashes in mid-session", {
    control: "a bare connection is cut, and what its page knew is gone",
    async unguarded() {
      const plain = await plainBrowser();
      const ended = new Promise((resolve) => plain.once("disconnected", resolve));
      const root = await plain.newBrowserCDPSession();
      await root.send("Browser.crash").catch(() => {});
      await ended;
      assert.equal(plain.isConnected(), false);
    },
    async guarded() {
      const events: BrowserEvent[] = [];
      const doomed = await browsing.open({ network: { mode: "allow", hosts: [site.host] }, record: true });
      doomed.events.listen((event) => events.push(event));
      await doomed.navigate(site.origin);
      const driver = new WebSocket(cdp(doomed));
      await once(driver, "open");
      const left = once(driver, "close");
      const pending = doomed.pages
        .front()
        .send("Runtime.evaluate", { expression: "new Promise(() => {})", awaitPromise: true });
      doomed.pipe.send("Browser.crash").catch(() => {});
      await assert.rejects(pending, { code: "TOOLS_SANDBOX_DIED" });
      assert.equal((await left)[0], 1011);
      assert.deepEqual(await doomed.closed, { reason: "the browser ended by itself" });
      await assert.rejects(doomed.snapshot(), { code: "TOOLS_SANDBOX_DIED" });
      await assert.rejects(doomed.files.list("."), { code: "TOOLS_CLOSED" });
      await doomed.close();
      const log = Buffer.from((await recordings.read(context, doomed.id, "log")) ?? []).toString();
      assert.match(log, /"navigation"[\s\S]*"ended"/);
      assert.equal(browsing.browsers.get(doomed.id), undefined);
      await using next = await browsing.open({ network: { mode: "allow", hosts: [site.host] } });
      await next.navigate(site.origin);
    },
  });
});
