import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { EgressDecision } from "../egress/index.ts";
import { Browsing, eventually, plainBrowser } from "./fixtures/browsing.ts";
import { type Site, startSite } from "./fixtures/site.ts";
import type { BrowserEvent, BrowserSession } from "./index.ts";

const WINDOWS = `<title>start</title><script>
  let opened = 0;
  setInterval(() => { for (let each = 0; each < 20 && opened < 1000; each++, opened++) open("/empty"); }, 5);
</script>`;
const MEMORY = `<title>start</title><script>
  const kept = [];
  const more = () => {
    for (let each = 0; each < 4 && kept.length < 70; each++) kept.push(new Uint8Array(8 << 20).fill(kept.length + 1));
    document.title = kept.length * 8 + " MiB";
    if (kept.length < 70) setTimeout(more);
  };
  setTimeout(more);
</script>`;
const CALLS = (port: number): string => `<title>start</title><script>
  const peer = new RTCPeerConnection({ iceServers: [{ urls: "stun:127.0.0.1:${port}" }] });
  const seen = [];
  peer.onicecandidate = ({ candidate }) => {
    if (candidate) seen.push(candidate.type + " " + candidate.address);
  };
  setTimeout(() => { document.title = "done " + seen.filter((each) => !each.endsWith(".local")).length; }, 1000);
  peer.createDataChannel("x");
  peer.createOffer().then((offer) => peer.setLocalDescription(offer));
</script>`;
const METADATA = "http://169.254.169.254/latest/meta-data/";

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "hostile pages", () => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-canary-"));
  const canary = join(folder, "canary.txt");
  const decisions: EgressDecision[] = [];
  const calls = createSocket("udp4");
  let datagrams = 0;
  let private_: Site;
  let site: Site;
  let plain: Browser;
  let browsing: Browsing;
  let session: BrowserSession;

  beforeAll(async () => {
    writeFileSync(canary, "canary-of-the-host");
    calls.bind(0, "127.0.0.1").on("message", () => {
      datagrams += 1;
    });
    await once(calls, "listening");
    private_ = await startSite({ "/": "private", "/latest/meta-data/": "role credentials" });
    site = await startSite({
      "/empty": "",
      "/windows": WINDOWS,
      "/memory": MEMORY,
      "/calls": CALLS(calls.address().port),
      "/endless": (_, response) => {
        response.writeHead(200, { "content-type": "application/zip", "content-disposition": "attachment" });
        const chunk = Buffer.alloc(1 << 18);
        const more = (): void => {
          while (!response.destroyed && response.write(chunk)) {}
        };
        response.on("drain", more);
        more();
      },
      "/to-metadata": (_, response) => response.writeHead(302, { location: METADATA }).end(),
      "/register": `<title>start</title><script>
        navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready).then(() => { document.title = "registered"; });
      </script>`,
      "/worker.js": (_, response) =>
        response
          .writeHead(200, { "content-type": "text/javascript" })
          .end(`oninstall = () => skipWaiting(); onactivate = (event) => event.waitUntil(clients.claim());
            onfetch = (event) => { if (event.request.url.endsWith("/who")) event.respondWith(new Response("<title>worker</title>", { headers: { "content-type": "text/html" } })); };`),
      "/who": "<title>server</title>",
    });
    plain = await plainBrowser(
      `--host-resolver-rules=MAP rebind.test 127.0.0.1:${private_.port},MAP 169.254.169.254 127.0.0.1:${private_.port}`,
    );
    let asked = 0;
    browsing = new Browsing({
      egress: {
        allowPrivate: [site.host],
        log: { record: (decision) => void decisions.push(decision) },
        // The second answer for the same name is an address of this host.
        lookup: (async () => [{ address: asked++ === 0 ? "203.0.113.7" : "127.0.0.1", family: 4 }]) as never,
      },
    });
    const hosts = [site.host, { host: "rebind.test", port: private_.port }, { host: "169.254.169.254" }];
    session = await browsing.open({ network: { mode: "allow", hosts }, maxPages: 4 });
  }, 120_000);
  afterAll(async () => {
    await plain.close();
    await browsing[Symbol.asyncDispose]();
    for (const each of [site, private_]) await each[Symbol.asyncDispose]();
    calls.close();
    rmSync(folder, { recursive: true });
  });

  /** A page of plain Chromium, with its context, closed after. */
  async function inPlain(body: (page: Page) => Promise<void>): Promise<void> {
    const context = await plain.newContext();
    try {
      await body(await context.newPage());
    } finally {
      await context.close();
    }
  }
  const title = async (of = session): Promise<string> => {
    await of.snapshot().catch(() => {});
    return of.list().find(({ front }) => front)?.title ?? "";
  };
  /** The title once the page has set one of its own. */
  const outcome = async (of = session): Promise<string> => {
    let last = "";
    await eventually("the page says how it went", async () => {
      await of.input("look", "", async () => {});
      last = await title(of);
      return last !== "start";
    });
    return last;
  };

  hostile("a page that opens a thousand windows", {
    control: "plain Chromium opens more than sixteen, and goes on",
    timeoutMs: 180_000,
    unguarded: () =>
      inPlain(async (page) => {
        await page.goto(`${site.origin}/windows`);
        await eventually("they are open", () => page.context().pages().length > 16);
      }),
    async guarded() {
      const refused = new Set<string>();
      let most = 0;
      const unsubscribe = session.events.listen((event: BrowserEvent) => {
        most = Math.max(most, session.list().length);
        if (event.kind === "page" && event.change === "refused") refused.add(event.page);
      });
      const first = session.list()[0]?.id ?? "";
      await session.navigate(`${site.origin}/windows`);
      await eventually("all but three are refused", () => refused.size === 997, 120_000);
      await session.selectPage(first);
      await session.navigate(`${site.origin}/who`);
      for (const { id } of session.list()) if (id !== first) await session.closePage(id);
      await eventually("one page is left", () => session.list().length === 1);
      unsubscribe();
      assert.ok(most <= 4, `${most} pages`);
      assert.equal(await title(), "server");
    },
  });

  hostile("a page that allocates until it dies", {
    control: "plain Chromium gives it all it asks for, past the limit of the session",
    timeoutMs: 90_000,
    unguarded: () =>
      inPlain(async (page) => {
        await page.goto(`${site.origin}/memory`);
        await eventually("it has it", async () => (await page.title()) === "560 MiB");
      }),
    async guarded() {
      const small = await browsing.open({ network: { mode: "allow", hosts: [site.host] }, limits: { memoryMiB: 450 } });
      const changes: string[] = [];
      small.events.listen((event) => void (event.kind === "page" && changes.push(event.change)));
      await small.navigate(`${site.origin}/memory`).catch(() => {});
      await eventually("the page is dead", () => changes.includes("crashed"));
      await assert.rejects(small.snapshot(), /has crashed/);
      await small.navigate(`${site.origin}/who`);
      assert.equal(small.list()[0]?.title, "server");
      await small.close();
    },
  });

  hostile("a page that downloads endlessly", {
    control: "plain Chromium has taken four times the limit of the session and goes on",
    timeoutMs: 90_000,
    unguarded: () =>
      inPlain(async (page) => {
        const cdp = await page.context().newCDPSession(page);
        let bytes = 0;
        cdp.on("Page.downloadProgress", ({ receivedBytes }) => {
          bytes = receivedBytes;
        });
        await cdp.send("Page.enable");
        await page.goto(`${site.origin}/endless`).catch(() => {});
        await eventually("it takes on", () => bytes > 8 << 20);
      }),
    async guarded() {
      const limited = await browsing.open({
        network: { mode: "allow", hosts: [site.host] },
        maxDownloadBytes: 2 << 20,
        limits: { diskMiB: 1024 },
      });
      await limited.navigate(`${site.origin}/endless`).catch(() => {});
      await eventually("it is stopped", async () => (await limited.downloads())[0]?.state === "canceled");
      assert.ok(((await limited.downloads())[0]?.bytes ?? 0) < 512 << 20, "by the limit, before the disk is full");
      await eventually("nothing is left", async () => (await limited.files.list("downloads")).length === 0);
      await limited.close();
    },
  });

  hostile("a name that resolves to this host the second time", {
    control: "plain Chromium, told that the name is this host, shows the private page",
    unguarded: () =>
      inPlain(async (page) => {
        await page.goto(`http://rebind.test:${private_.port}/`);
        assert.equal(await page.textContent("body"), "private");
      }),
    async guarded() {
      const before = private_.requests.length;
      for (let tries = 0; tries < 2; tries++) {
        await session.navigate(`http://rebind.test:${private_.port}/`, { timeoutMs: 1_000 }).catch(() => {});
      }
      assert.equal(private_.requests.length, before);
      assert.ok(decisions.some(({ host, reason }) => host === "rebind.test" && reason === "address"));
    },
  });

  hostile("a redirect to the metadata address", {
    control: "plain Chromium follows it, and the page has the credentials",
    unguarded: () =>
      inPlain(async (page) => {
        await page.goto(`${site.origin}/to-metadata`);
        assert.equal(await page.textContent("body"), "role credentials");
      }),
    async guarded() {
      const before = private_.requests.length;
      await session.navigate(`${site.origin}/to-metadata`).catch(() => {});
      assert.doesNotMatch(await session.snapshot(), /credentials/);
      assert.equal(private_.requests.length, before);
      assert.ok(decisions.some(({ host, reason }) => host === "169.254.169.254" && reason === "address"));
    },
  });

  hostile("a file of the host, by its address", {
    control: "plain Chromium shows it",
    unguarded: () =>
      inPlain(async (page) => {
        await page.goto(`file://${canary}`);
        assert.equal(await page.textContent("body"), "canary-of-the-host");
      }),
    async guarded() {
      for (const url of [`file://${canary}`, "file:///etc/passwd", `view-source:file://${canary}`, "filesystem:x"]) {
        await assert.rejects(session.navigate(url), { code: "TOOLS_INVALID" });
        await assert.rejects(session.openPage(url), { code: "TOOLS_INVALID" });
      }
      await session.navigate(`${site.origin}/who`);
      const { result } = await session.pages
        .front()
        .send<{ readonly result: { readonly value: string } }>("Runtime.evaluate", {
          expression: `open("file://${canary}"); location = "file://${canary}"; fetch("file://${canary}").then((r) => r.text()).catch((e) => e.name)`,
          ...{ awaitPromise: true, returnByValue: true },
        });
      assert.equal(result.value, "TypeError");
      assert.equal(await title(), "server");
      assert.equal((await session.sandbox.exec(["/bin/cat", canary])).exitCode, 1);
    },
  });

  hostile("a page that goes around the proxy by WebRTC", {
    control: "plain Chromium asks the server on this host by UDP",
    unguarded: () =>
      inPlain(async (page) => {
        await page.goto(`${site.origin}/calls`);
        await eventually("it has asked", () => datagrams > 0);
      }),
    async guarded() {
      await new Promise((resolve) => setTimeout(resolve, 300));
      datagrams = 0;
      await session.navigate(`${site.origin}/calls`);
      assert.equal(await outcome(), "done 0");
      assert.equal(datagrams, 0);
    },
  });

  hostile("a service worker that one session leaves for the next", {
    control: "in one browser the worker of the first page answers the second",
    unguarded: () =>
      inPlain(async (page) => {
        await page.goto(`${site.origin}/register`);
        await eventually("it is registered", async () => (await page.title()) === "registered");
        const second = await page.context().newPage();
        await second.goto(`${site.origin}/who`);
        assert.equal(await second.title(), "worker");
      }),
    async guarded() {
      await session.navigate(`${site.origin}/register`);
      assert.equal(await outcome(), "registered");
      await using next = await browsing.open({ network: { mode: "allow", hosts: [site.host] } });
      await next.navigate(`${site.origin}/who`);
      assert.equal(next.list()[0]?.title, "server");
    },
  });
});
