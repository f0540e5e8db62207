import { afterAll, beforeAll } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { actionCases } from "./fixtures/action-cases.ts";
import { ConsoleInChromium } from "./fixtures/console-in-chromium.ts";
import { hostileCases } from "./fixtures/hostile-cases.ts";
import { viewCases } from "./fixtures/view-cases.ts";

describeWith([parts.chromium], "the console in Chromium", () => {
  let opened: ConsoleInChromium;
  const at = (): ConsoleInChromium => opened;

  beforeAll(async () => {
    opened = await ConsoleInChromium.open();
  });
  afterAll(() => opened?.[Symbol.asyncDispose]());

  viewCases(at);
  actionCases(at);
  hostileCases(at);
});
