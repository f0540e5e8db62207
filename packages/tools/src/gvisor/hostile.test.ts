import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { skip } from "../fixtures/not-applicable.ts";
import { PYTHON } from "../testing/hostile/probe-runner.ts";
import { hostileConformance } from "../testing/index.ts";
import { GvisorBackend } from "./index.ts";

const WHOLE = "over its limits of memory and processes a sandbox ends whole here, as its capabilities say";

describeWith([parts.gvisor, parts.bubblewrap, parts.python], "gvisor, probe by probe", () => {
  const { host, controls, inside } = hostileConformance({
    ...{ hostile, skip, beforeAll, afterAll, backend: "gvisor", ownKernel: true },
    createBackend: () => new GvisorBackend(),
    notApplicable: {
      "a fork bomb": WHOLE,
      "children that ended and that nobody waits for": WHOLE,
      "a repr of a gigabyte": WHOLE,
    },
  });

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
      const { stdout, stderr } = await inside().exec(PYTHON, { stdin: JSON.stringify([search]) });
      assert.deepEqual(JSON.parse(stdout), [false], stderr);
      assert.equal(mounts(), before);
      assert.notEqual(
        (await inside().exec(["/bin/cat", "/proc/version"])).stdout,
        readFileSync("/proc/version", "utf8"),
      );
    },
  });
});
