import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith, parts } from "../../../test/support/system-part.ts";
import { REDIRECT } from "./fixtures/client.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, calendar, installation } from "./fixtures/installation.ts";
import { OAuthCallback } from "./oauth-callback.ts";

let provider: IdentityProvider;
beforeAll(async () => {
  provider = await startIdentityProvider();
});
afterAll(() => provider.close());

describeWith([parts.chromium], "in a browser", () => {
  test("a user logs in and consents in Chromium, and the callback's page finishes the flow", async () => {
    const { vault, flows, header } = installation();
    const callback = new OAuthCallback({ flows, context: () => alice });
    await vault.add(alice, calendar(provider.issuer));
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
    });
    try {
      const page = await browser.newPage();
      await page.route(`${REDIRECT}**`, async (route) => {
        const answer = await callback.handle(new Request(route.request().url()));
        await route.fulfill({
          status: answer.status,
          headers: Object.fromEntries(answer.headers),
          body: await answer.text(),
        });
      });
      await page.goto((await flows.start(alice, "calendar")).url);
      await page.fill('input[name="login"]', "alice");
      await page.fill('input[name="password"]', "x");
      await page.click('button[type="submit"]');
      await page.click("text=consent");
      await page.waitForURL(`${REDIRECT}**`);
      expect(await page.textContent("p")).toBe("Done. You may close this page.");
    } finally {
      await browser.close();
    }
    expect(await header(alice, "calendar")).toMatch(/^Bearer /);
  });
});
