import assert from "node:assert/strict";
import { afterAll, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { probedOnce } from "../fixtures/probed-once.ts";
import { ProcessBackend } from "../process/index.ts";
import { SandboxPool } from "../sandbox-pool.ts";
import { SandboxSessionHost } from "../session-host.ts";
import { sandboxConformance } from "../testing/sandbox-conformance.ts";
import { BubblewrapBackend } from "./index.ts";

const context = { principal: { tenant: "acme" } };

describeWith([parts.bubblewrap, parts.python], "bubblewrap", () => {
  const backend = new BubblewrapBackend();
  afterAll(() => backend.close());
  sandboxConformance({ test, createBackend: () => probedOnce(() => backend) });

  test("a pool hands out each sandbox once", async () => {
    const pool = new SandboxPool({ backend: new BubblewrapBackend(), size: 2 });
    await pool.fill();
    const made = [await pool.create(context), await pool.create(context), await pool.create(context)];
    assert.equal(new Set(made.map(({ id }) => id)).size, 3);
    for (const sandbox of made) assert.equal((await sandbox.run("1 + 1")).results[0]?.data["text/plain"], "2");
    await pool.close();
  });

  test("modules loaded before are there in every context, with other random numbers", async () => {
    await using sandbox = await backend.create(context, { preload: ["random"] });
    const [one, two] = [
      await sandbox.createContext({ language: "python" }),
      await sandbox.createContext({ language: "python" }),
    ];
    const draw = async (id: string): Promise<string | undefined> =>
      (await sandbox.run("import sys; sys.modules['random'].random()", { context: id })).results[0]?.data["text/plain"];
    assert.notEqual(await draw(one.id), await draw(two.id));
  });

  test("a session host's program speaks over stdin and stdout, and its sandbox ends with it", async () => {
    const host = new SandboxSessionHost({ backend });
    const hosted = await host.start(context, { command: ["/bin/cat"] });
    const writer = hosted.stdin.getWriter();
    await writer.write(Buffer.from("hello"));
    await writer.close();
    assert.equal(await new Response(hosted.stdout).text(), "hello");
    assert.deepEqual(await hosted.exit, { code: 0 });
  });

  test("a server inside is reached through an exposed port", async () => {
    await using sandbox = await backend.create(context);
    await sandbox.files.write("hello.txt", "from inside");
    const server = await sandbox.spawn(["/usr/bin/python3", "-u", "-m", "http.server", "8000", "--bind", "127.0.0.1"]);
    await server.stdout.getReader().read();
    const { host, port } = await sandbox.ports.expose(8000);
    assert.equal(await (await fetch(`http://${host}:${port}/hello.txt`)).text(), "from inside");
    await server.kill();
  });

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
