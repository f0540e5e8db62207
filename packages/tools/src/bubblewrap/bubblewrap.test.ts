import assert from "node:assert/strict";
import { afterAll, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { ProcessBackend } from "../process/index.ts";
import { sandboxConformance } from "../testing/sandbox-conformance.ts";
import { BubblewrapBackend } from "./index.ts";

const context = { principal: { tenant: "acme" } };

describeWith([parts.bubblewrap, parts.python], "bubblewrap", () => {
  sandboxConformance({ test, createBackend: () => new BubblewrapBackend() });

  const backend = new BubblewrapBackend();
  afterAll(() => backend.close());

  test("memory over the limit ends the code, not the sandbox", async () => {
    await using sandbox = await backend.create(context, { limits: { memoryMiB: 96 } });
    const execution = await sandbox.run("x = bytearray(400 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1");
    assert.deepEqual([execution.status, execution.stateLost], ["died", true]);
    assert.equal((await sandbox.run("1")).status, "ok");
  });

  test("a fork bomb meets the limit of processes", async () => {
    await using sandbox = await backend.create(context, { limits: { processes: 16 } });
    const { results } = await sandbox.run(
      "import os\nmade = 0\ntry:\n  for _ in range(200):\n    if os.fork() == 0:\n      import time; time.sleep(30); os._exit(0)\n    made += 1\nexcept OSError: pass\nmade < 20",
    );
    assert.equal(results[0]?.data["text/plain"], "True");
  });

  test("a full disk is a typed error, and files can be removed again", async () => {
    await using sandbox = await backend.create(context, { limits: { diskMiB: 4 } });
    await assert.rejects(sandbox.files.write("big", new Uint8Array(8 << 20)), { code: "TOOLS_LIMIT_EXCEEDED" });
    assert.deepEqual(await sandbox.files.list(), []);
  });
});

describeWith([parts.bubblewrap, parts.dataScience], "data science", () => {
  const backend = new BubblewrapBackend();
  afterAll(() => backend.close());

  test("a data frame comes back as a table", async () => {
    await using sandbox = await backend.create(context);
    const { results } = await sandbox.run("import pandas\npandas.DataFrame({'amount': [12, 30]})");
    assert.match(results[0]?.data["text/html"] ?? "", /<table/);
  });

  test("a plot comes back as a picture, shown or left open", async () => {
    await using sandbox = await backend.create(context);
    const { results } = await sandbox.run("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);\nplt.show()");
    assert.equal(
      Buffer.from(results[0]?.data["image/png"] ?? "", "base64")
        .subarray(1, 4)
        .toString(),
      "PNG",
    );
  });
});

describeWith([parts.python], "process", () => {
  // The tests' own warning is expected here.
  sandboxConformance({ test, createBackend: () => new ProcessBackend({ unsafe: true }) });
});
