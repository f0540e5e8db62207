import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { eventually, plainBrowser } from "./fixtures/browsing.ts";

const main = fileURLToPath(new URL("../../../../examples/browser-session/main.ts", import.meta.url));
const images = new URL("../../../../docs/images/", import.meta.url);

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "examples/browser-session", () => {
  test("an agent fills in a form, a person takes over, and the recording plays back", {
    timeout: 120_000,
  }, async () => {
    const child = spawn(process.execPath, ["--conditions=@ashlar/source", main], { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    const exit = once(child, "exit");
    const said = async (words: RegExp): Promise<string> => {
      await eventually(`it says ${words}`, () => words.test(output) || child.exitCode !== null, 60_000);
      return words.exec(output)?.[1] ?? assert.fail(output);
    };
    const people = await plainBrowser();
    try {
      const page = await people.newPage({ viewport: { width: 1500, height: 780 } });
      const live = await said(/^live view: (\S+)$/m);
      const code = await said(/^on the phone: (\d{6})$/m);
      await page.goto(live);
      await eventually("a picture is drawn", async () => (await page.locator("canvas[data-frames]").count()) === 1);
      await page.getByRole("button", { name: "Take over" }).click();
      await page.waitForSelector("#status:text('You are in control')");
      const box = (await page.locator("canvas").boundingBox()) ?? assert.fail();
      const at = (x: number, y: number): [number, number] => [
        box.x + (x / 1456) * box.width,
        box.y + (y / 819) * box.height,
      ];
      await page.mouse.click(...at(728, 302));
      await page.keyboard.type(code);
      await page.waitForSelector("li[data-typing]");
      await page.waitForTimeout(400);
      await keep("browser-live-view.png", await page.screenshot());
      await page.keyboard.press("Enter");
      await page.waitForSelector("#address:text('/code')");
      await page.getByRole("button", { name: "Give back" }).click();
      assert.match(await said(/^agent: (.+)$/m), /The expense is filed: Reference HX-2047/);

      const recording = await said(/^recording: (\S+)$/m);
      await page.goto(recording);
      await page.waitForSelector("canvas[data-frame]");
      await page.locator("li[data-typing]").first().click();
      await page.waitForTimeout(400);
      await keep("browser-playback.png", await page.screenshot());
      await page.locator("#at").press("Home");
      const first = await page.locator("canvas").getAttribute("data-frame");
      await page.getByRole("button", { name: "Play" }).click();
      await eventually("it plays", async () => (await page.locator("canvas").getAttribute("data-frame")) !== first);
      child.stdin.end();
      assert.deepEqual(await exit, [0, null], output);
    } finally {
      await people.close();
      child.kill();
    }
  });
});

/** The pictures of the docs are this test's, when it is told to write them. */
async function keep(name: string, picture: Buffer): Promise<void> {
  assert.ok(picture.length > 20_000, "the picture shows something");
  if (process.env.ASHLAR_IMAGES === "write") await writeFile(new URL(name, images), picture);
}
