import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { skip } from "../fixtures/not-applicable.ts";
import { SandboxPool } from "../sandbox-pool.ts";
import { typed, value } from "../testing/hostile/conduct-cases.ts";
import { hostileConformance } from "../testing/index.ts";
import { BubblewrapBackend } from "./index.ts";

const context = { principal: { tenant: "acme" } };

describeWith([parts.bubblewrap, parts.python], "bubblewrap under attack", () => {
  const place = hostileConformance({
    ...{ hostile, skip, beforeAll, afterAll, backend: "bubblewrap" },
    createBackend: (bwrap) => new BubblewrapBackend({ bwrap }),
  });
  const { controls, backend } = place;

  hostile("what the last one left in a pool", {
    ...{ control: "in one sandbox it is there for the next run", backend: "bubblewrap" },
    async unguarded() {
      await place.inside().run("left = 1; open('/tmp/left', 'w').write('x')");
      assert.equal(await value(place.inside(), "left"), "1");
    },
    async guarded() {
      const pool = new SandboxPool({ backend: backend(), size: 1 });
      await pool.fill();
      const first = await pool.create(context);
      await first.run("left = 1; open('/tmp/left', 'w').write('x'); open('/dev/shm/left', 'w').write('x')");
      await first.close();
      await using next = await pool.create(context);
      const search =
        "'left' in globals() or any(__import__('os').path.exists(p) for p in ('/tmp/left', '/dev/shm/left'))";
      assert.equal(await value(next, search), "False");
    },
  });

  hostile("memory without end", {
    ...{ control: "a plain process takes 400 MiB", backend: "bubblewrap" },
    unguarded: async () => assert.equal(await value(controls.outside, "len(bytearray(400 << 20)) >> 20"), "400"),
    async guarded() {
      await using sandbox = await backend().create(context, { limits: { memoryMiB: 96 } });
      const { status, stateLost } = await sandbox.run(
        "x = bytearray(400 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1",
      );
      assert.deepEqual([status, stateLost], ["died", true]);
      assert.equal(await value(sandbox, "6 * 7"), "42");
    },
  });

  hostile("files without number", {
    ...{ control: "a plain process makes 5,000", backend: "bubblewrap" },
    unguarded: async () => assert.equal(await value(controls.outside, `${MANY(5_000)}\nmade`), "5000"),
    async guarded() {
      await using sandbox = await backend().create(context, { limits: { memoryMiB: 32, diskMiB: 8 } });
      const { results, status } = await sandbox.run(`${MANY(1_000_000)}\nmade`, { timeoutMs: 5_000 });
      assert.ok(status !== "ok" || Number(results[0]?.data["text/plain"]) < 1_000_000, status);
      await sandbox.files.remove("many", { recursive: true }).catch(typed);
    },
  });

  hostile("a link swapped in between a check and its use", {
    ...{ control: "a check on the host, then a read, returns the other file", backend: "bubblewrap" },
    unguarded() {
      const folder = realpathSync(mkdtempSync(join(tmpdir(), "ashlar-swap-")));
      try {
        writeFileSync(join(folder, "mine"), "mine");
        assert.equal(realpathSync(join(folder, "mine")), join(folder, "mine"));
        rmSync(join(folder, "mine"));
        symlinkSync("/etc/passwd", join(folder, "mine"));
        assert.match(readFileSync(join(folder, "mine"), "utf8"), /root:/);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    async guarded() {
      const swap = `import os
os.makedirs("real", exist_ok=True); open("real/passwd", "w").write("mine")
while True:
  for target in ("/etc", "real"):
    os.symlink(target, "next"); os.rename("next", "swapped")`;
      const swapper = await place.inside().spawn(["/usr/bin/python3", "-c", swap]);
      let read = 0;
      for (let tries = 0; tries < 300; tries++) {
        const found = await place.inside().files.readText("swapped/passwd").catch(typed);
        assert.ok(found === undefined || found === "mine", found);
        read += found === undefined ? 0 : 1;
      }
      await swapper.kill();
      assert.ok(read > 0, "the race was never won by the honest folder either");
    },
  });
});

const MANY = (count: number): string => `import os
os.makedirs('many', exist_ok=True); made = 0
try:
  for made in range(1, ${count} + 1): open(f'many/{made}', 'w').close()
except OSError: pass`;
