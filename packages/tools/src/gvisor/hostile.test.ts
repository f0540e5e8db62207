import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Controls } from "../fixtures/controls.ts";
import { hostileConductSuite } from "../fixtures/hostile-conduct-suite.ts";
import { hostileSandboxSuite } from "../fixtures/hostile-sandbox-suite.ts";
import { PlantedHost } from "../fixtures/planted-host.ts";
import { PYTHON } from "../fixtures/probe-runner.ts";
import { sandboxProbes } from "../fixtures/sandbox-probes.ts";
import type { Sandbox } from "../sandbox.ts";
import { GvisorBackend } from "./index.ts";

/** Over its limits of memory and processes a sandbox ends whole here, as its capabilities say. */
const WHOLE = ["a fork bomb", "children that ended and that nobody waits for", "a repr of a gigabyte"];

describeWith([parts.gvisor, parts.bubblewrap, parts.python], "gvisor, probe by probe", () => {
  const host = new PlantedHost();
  const controls = new Controls(host);
  const backend = new GvisorBackend();
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

  const probes = sandboxProbes(host).filter(({ ownKernel }) => !ownKernel);
  hostileConductSuite({
    hostile,
    backend: backend.name,
    open: () => backend,
    host,
    controls,
    without: WHOLE,
  });
  hostileSandboxSuite({ hostile, backend: backend.name, probes, inside: () => inside, controls });

  hostile("what its own kernel grants, used to look for the host's", {
    ...{ backend: "gvisor", control: "without filter, with nested namespaces, the host's own kernel grants it" },
    async unguarded() {
      assert.deepEqual(JSON.parse(controls.weakened(JSON.stringify([`gain(); ok = mount("none", "/tmp", "tmpfs")`]))), [
        true,
      ]);
    },
    async guarded() {
      const mounts = () => readFileSync("/proc/self/mountinfo", "utf8");
      const before = mounts();
      const search = `gain()
for kind in ("proc", "sysfs", "tmpfs", "devtmpfs"):
  os.makedirs("/tmp/" + kind, exist_ok=True); mount("none", "/tmp/" + kind, kind)
found = [os.path.join(at, name) for at, _, names in os.walk("/tmp") for name in names]
ok = any(${JSON.stringify(host.canary)}.encode() in open(path, "rb").read(4096) for path in found if path.endswith(("cmdline", "mounts", "environ")))`;
      const { stdout, stderr } = await inside.exec(PYTHON, { stdin: JSON.stringify([search]) });
      assert.deepEqual(JSON.parse(stdout), [false], stderr);
      assert.equal(mounts(), before);
      assert.notEqual((await inside.exec(["/bin/cat", "/proc/version"])).stdout, readFileSync("/proc/version", "utf8"));
    },
  });
});
