import { afterAll, beforeAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Controls } from "../fixtures/controls.ts";
import { hostileSandboxSuite } from "../fixtures/hostile-sandbox-suite.ts";
import { PlantedHost } from "../fixtures/planted-host.ts";
import { sandboxProbes } from "../fixtures/sandbox-probes.ts";
import type { Sandbox } from "../sandbox.ts";
import { BubblewrapBackend } from "./index.ts";

describeWith([parts.bubblewrap, parts.python], "bubblewrap, probe by probe", () => {
  const host = new PlantedHost();
  const controls = new Controls(host);
  const backend = new BubblewrapBackend({ bwrap: controls.leaky });
  let inside: Sandbox;
  beforeAll(async () => {
    await host.start();
    await controls.start();
    inside = await backend.create({ principal: { tenant: "acme" } });
  });
  afterAll(async () => {
    await backend.close();
    await controls.stop();
    host.stop();
  });

  hostileSandboxSuite({ hostile, backend: backend.name, probes: sandboxProbes(host), inside: () => inside, controls });
});
