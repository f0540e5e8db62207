import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { egressSandboxSuite } from "../fixtures/egress-sandbox-suite.ts";
import { skip } from "../fixtures/not-applicable.ts";
import { probedOnce } from "../fixtures/probed-once.ts";
import { hostileConformance, sandboxConformance } from "../testing/index.ts";
import { ContainerBackend } from "./container-backend.ts";
import type { ContainerEngine } from "./container-engine.ts";
import { Podman } from "./fixtures/podman.ts";

const context = { principal: { tenant: "acme" } };

test("a dockerode client is an engine", () => {
  expectTypeOf<Docker>().toExtend<ContainerEngine>();
});

test("an engine that is not there fails closed and says what to start", async () => {
  const backend = new ContainerBackend({ engine: new Docker({ socketPath: "/nowhere.sock" }), image: "none" });
  expect(await backend.probe()).toMatchObject({ ok: false, remedy: expect.stringContaining("podman system service") });
  await expect(backend.create(context)).rejects.toMatchObject({ code: "TOOLS_ISOLATION_UNAVAILABLE" });
});

describeWith([parts.podman, parts.python], "container", () => {
  let podman: Podman;
  let backend: ContainerBackend;
  beforeAll(async () => {
    podman = await Podman.start();
    backend = new ContainerBackend({ engine: podman.engine, image: podman.image });
    await backend.probe();
  }, 60_000);
  afterAll(async () => {
    await backend?.close();
    await podman?.stop();
  });

  describe("conformance", () => {
    sandboxConformance({
      test: (name, body) => test(name, body, 60_000),
      createBackend: () => probedOnce(() => backend),
    });
  });

  egressSandboxSuite({
    ...{ hostile, backend: "container" },
    open: (egress) => new ContainerBackend({ engine: podman.engine, image: podman.image, egress }),
  });

  test("what it cannot keep is refused, and an image that is not there is a typed error", async () => {
    await expect(backend.create(context, { network: { mode: "open" } })).rejects.toMatchObject({
      code: "TOOLS_UNSUPPORTED",
    });
    const mounts = [{ source: "/etc", target: "/host" }];
    await expect(backend.create(context, { mounts })).rejects.toMatchObject({ code: "TOOLS_UNSUPPORTED" });
    await expect(backend.create(context, { languages: ["javascript"] })).rejects.toMatchObject({
      code: "TOOLS_LANGUAGE_MISSING",
    });
    await expect(backend.create(context, { image: "localhost/none" })).rejects.toMatchObject({
      code: "TOOLS_BACKEND_FAILED",
    });
  });

  describe("probe by probe", () => {
    hostileConformance({
      ...{ hostile, skip, beforeAll, afterAll, backend: "container" },
      // Closed with the suite around it.
      createBackend: () => probedOnce(() => backend),
    });
  });

  test("a closed sandbox leaves no container behind", async () => {
    const before = (await podman.engine.listContainers({ all: true })).length;
    const sandbox = await backend.create(context);
    expect(await podman.engine.listContainers({ all: true })).toHaveLength(before + 1);
    await sandbox.close();
    expect(await podman.engine.listContainers({ all: true })).toHaveLength(before);
  });
});
