import assert from "node:assert/strict";
import { trace } from "@opentelemetry/api";
import { afterAll, beforeAll, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { BubblewrapBackend } from "../bubblewrap/index.ts";
import { seeSpans } from "../fixtures/seen-spans.ts";
import { WasmBackend } from "../wasm/index.ts";
import { Browsing, context, eventually } from "./fixtures/browsing.ts";
import { type Site, startSite } from "./fixtures/site.ts";
import { type BrowserEvent, type BrowserSession, Browsers } from "./index.ts";

const FORM = `<title>Order</title><h1>Your order</h1>
<form action="/done"><label>Name <input name="name"></label>
<label>Size <select name="size"><option>Small<option value="L">Large</select></label>
<label><input type="checkbox" name="gift"> Gift</label>
<input type="file" name="photo" aria-label="Photo"><button>Send</button></form>
<a href="/report">Report</a>
<iframe srcdoc="<button onclick='parent.document.title = 1'>Inner</button>"></iframe>`;

/** The reference of the first line that holds the words. */
function reference(snapshot: string, words: string): string {
  const line = snapshot.split("\n").find((each) => each.includes(words) && each.includes("[ref="));
  return /\[ref=(e\d+)\]/.exec(line ?? "")?.[1] ?? assert.fail(`${words} is not in\n${snapshot}`);
}

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "a browser session", () => {
  let site: Site;
  let other: Site;
  let browsing: Browsing;
  let session: BrowserSession;
  const events: BrowserEvent[] = [];

  beforeAll(async () => {
    other = await startSite({ "/": "<button onclick=\"this.textContent = 'Pressed'\">Elsewhere</button>" });
    site = await startSite({
      "/": FORM,
      "/done": "<title>Thanks</title><h1>Thank you</h1>",
      "/report": (_, response) =>
        response
          .writeHead(200, { "content-disposition": "attachment; filename*=UTF-8''..%2F..%2Fetc%2Freport%E2%80%AE.csv" })
          .end("a,b\n"),
      "/ask": "<button onclick=\"this.textContent = confirm('Sure?') ? 'Yes' : 'No'\">Ask</button>",
      "/frames": `<iframe src="http://localhost:${other.port}/" width="300" height="200" style="margin: 90px"></iframe>`,
      "/keys": `<textarea autofocus></textarea><script>
        addEventListener("keydown", (event) => console.log(event.key + ":" + event.code + ":" + event.ctrlKey));</script>`,
    });
    browsing = new Browsing({
      egress: { allowPrivate: [site.host, other.host, { host: "localhost", port: other.port }] },
    });
    const hosts = [site.host, { host: "localhost", port: other.port }];
    session = await browsing.open({ network: { mode: "allow", hosts }, maxPages: 3 });
    session.events.listen((event) => events.push(event));
  }, 120_000);
  afterAll(async () => {
    await browsing[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  test("a form is read, filled in and sent by references", async () => {
    await session.navigate(site.origin);
    const before = await session.snapshot();
    assert.match(before, /- heading "Your order" \[level=1\]/);
    await session.fill(reference(before, "Name"), "Ada");
    await session.select(reference(before, "combobox"), ["L"]);
    await session.click(reference(before, "checkbox"));
    await session.files.write("photos/me.txt", "me");
    await session.upload(reference(before, "Photo"), ["photos/me.txt"]);
    const after = await session.snapshot();
    assert.match(after, /textbox "Name" \[ref=e\d+\]: "Ada"/);
    assert.match(after, /checkbox "Gift" \[checked\]/);
    await session.click(reference(after, "Send"));
    assert.equal(session.list()[0]?.title, "Thanks");
    assert.ok(site.requests.includes("GET /done?name=Ada&size=L&gift=on&photo=me.txt"));
    await assert.rejects(session.click(reference(after, "Send")), { code: "TOOLS_UNKNOWN_ELEMENT" });
  });

  test("each operation is a span that ends and holds nothing of the page", async () => {
    const seen = seeSpans();
    await using brief = await browsing.open({ network: { mode: "allow", hosts: [site.host] } });
    await brief.navigate(`${site.origin}/done?token=hunter2`);
    await assert.rejects(brief.click("hunter2"), { code: "TOOLS_UNKNOWN_ELEMENT" });
    await brief.close();
    trace.disable();
    const names = [
      "browser.open",
      "sandbox.create",
      "browser.action navigate",
      "browser.action click",
      "browser.close",
    ];
    assert.deepEqual(
      seen.map(({ name }) => name),
      names,
    );
    assert.ok(seen.every(({ ended }) => ended));
    const [opened, created, , clicked] = seen;
    assert.equal(opened?.attributes["ashlar.browser.program"], "headless-shell");
    assert.equal(opened?.attributes["ashlar.sandbox.id"], created?.attributes["ashlar.sandbox.id"]);
    assert.equal(clicked?.attributes["ashlar.browser.id"], brief.id);
    assert.equal(clicked?.attributes["error.type"], "TOOLS_UNKNOWN_ELEMENT");
    assert.doesNotMatch(JSON.stringify(seen), /hunter2|127\.0\.0\.1/);
  });

  test("history goes back and forward", async () => {
    await session.navigate(`${site.origin}/`);
    await session.navigate(`${site.origin}/done`);
    await session.go("back");
    assert.equal(session.list()[0]?.title, "Order");
    await session.go("forward");
    assert.equal(session.list()[0]?.title, "Thanks");
    await session.go("reload");
    await assert.rejects(session.go("forward"), { code: "TOOLS_PAGE_FAILED" });
  });

  test("elements of frames, of the same site and of another, can be pressed", async () => {
    await session.navigate(site.origin);
    await session.click(reference(await session.snapshot(), "Inner"));
    await session.navigate(`${site.origin}/frames`);
    let snapshot = "";
    await eventually("the frame is read", async () => {
      snapshot = await session.snapshot();
      return snapshot.includes("Elsewhere");
    });
    await session.click(reference(snapshot, "Elsewhere"));
    assert.match(await session.snapshot(), /button "Pressed"/);
  });

  test("a download lands in the session's files under a harmless name", async () => {
    await session.navigate(site.origin);
    await session.click(reference(await session.snapshot(), "Report"));
    await eventually("it is there", async () => (await session.downloads())[0]?.state === "completed");
    const [{ path, bytes } = assert.fail()] = await session.downloads();
    assert.match(path, /^downloads\/[^/\p{Cf}]+\.csv$/u);
    assert.equal(bytes, 4);
    assert.equal(await session.files.readText(path), "a,b\n");
  });

  test("a dialog ends the action that opened it, and is answered", async () => {
    await session.navigate(`${site.origin}/ask`);
    await session.click(reference(await session.snapshot(), "Ask"));
    await assert.rejects(session.snapshot(), /A dialog is open \(confirm\)/);
    await session.answerDialog(true);
    assert.match(await session.snapshot(), /button "Yes"/);
    assert.ok(events.some((event) => event.kind === "dialog" && event.text === "Sure?" && event.answer === "accepted"));
  });

  test("keys arrive as a keyboard would send them", async () => {
    await session.navigate(`${site.origin}/keys`);
    await session.input("keyType", "", (input) => input.type("a?é\n"));
    await session.input("keyShortcut", "", (input) => input.shortcut(["ctrl", "a"]));
    const said = events.flatMap((event) => (event.kind === "console" ? [event.text] : []));
    for (const key of ["a:KeyA:false", "?:Slash:false", "Enter:Enter:false", "a:KeyA:true"])
      assert.ok(said.includes(key));
    assert.match(await session.snapshot(), /textbox.*: "a\?é/);
    await assert.rejects(
      session.input("keyPress", "", (input) => input.press("Nokey")),
      { code: "TOOLS_INVALID" },
    );
  });

  test("pages are opened, chosen and closed, up to the limit", async () => {
    const second = await session.openPage(`${site.origin}/done`);
    const third = await session.openPage();
    await assert.rejects(session.openPage(), { code: "TOOLS_LIMIT_EXCEEDED" });
    await session.selectPage(second);
    assert.equal(session.list().find(({ front }) => front)?.title, "Thanks");
    await session.closePage(second);
    await session.closePage(third);
    await eventually("they are gone", () => session.list().length === 1);
  });

  test("what cannot be opened is refused before the browser hears of it", async () => {
    for (const url of [
      "file:///etc/passwd",
      "chrome://version",
      "view-source:http://a.test",
      "about:crash",
      "nonsense",
    ]) {
      await assert.rejects(session.navigate(url), { code: "TOOLS_INVALID" });
    }
    await assert.rejects(session.navigate("https://nowhere.test/"), { code: "TOOLS_PAGE_FAILED" });
  });

  test("actions wait while a person is in control, and give up with their signal", async () => {
    await session.navigate(site.origin);
    session.control.take({ by: "Ada" });
    assert.throws(() => session.control.take({ by: "Bob" }), { code: "TOOLS_CONTROL_HELD" });
    const waiting = session.snapshot();
    await assert.rejects(session.screenshot({ signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
    session.control.release({ by: "Bob" });
    assert.equal(session.control.holder?.by, "Ada");
    session.control.release({ by: "Ada" });
    assert.match(await waiting, /Your order/);
  });

  test("a picture is a PNG of the viewport", async () => {
    const picture = Buffer.from(await session.screenshot());
    assert.equal(picture.toString("latin1", 1, 4), "PNG");
    assert.deepEqual([picture.readUInt32BE(16), picture.readUInt32BE(20)], [1456, 819]);
  });

  test("chromium and headless-shell are held by their own sandbox inside ours", async () => {
    for (const program of ["chromium", "headless-shell"] as const) {
      const report = await browsing.browsers.probe(program);
      assert.ok(report.ok, JSON.stringify(report));
    }
  });

  test("where a browser cannot be held there is none, and no weaker one", async () => {
    const bare = new BubblewrapBackend({ cgroups: "/nonexistent" });
    for (const [backend, words] of [
      [new WasmBackend(), /needs user namespaces.*Use the bubblewrap backend/],
      [bare, /control groups.*systemd-run/],
    ] as const) {
      const browsers = new Browsers({ backend });
      await assert.rejects(browsers.open(context), { code: "TOOLS_ISOLATION_UNAVAILABLE", message: words });
      await backend.close();
    }
  });

  test("a closed session refuses everything and leaves nothing behind", async () => {
    const brief = await browsing.open();
    await brief.close();
    await brief.close();
    await assert.rejects(brief.snapshot(), { code: "TOOLS_CLOSED" });
    assert.equal(browsing.browsers.get(brief.id), undefined);
  });
});
