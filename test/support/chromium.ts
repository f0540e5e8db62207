import { type Browser, chromium } from "playwright-core";

/** Debian's Chromium, headless, quiet on a machine without internet. Its own sandbox is off: pages in tests are ours. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
