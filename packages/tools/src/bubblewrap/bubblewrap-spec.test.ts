import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { CallContext } from "../dialect.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import type { Workspaces } from "../workspaces.ts";
import { BubblewrapBackend } from "./index.ts";

const context = { principal: { tenant: "acme" } };

class KeptWorkspaces implements Workspaces {
  readonly kept = new Map<string, Buffer>();

  async restore({ principal }: CallContext, name: string): Promise<ReadableStream<Uint8Array> | undefined> {
    const archive = this.kept.get(`${principal.tenant}/${name}`);
    return archive === undefined ? undefined : new Blob([new Uint8Array(archive)]).stream();
  }

  async save({ principal }: CallContext, name: string, archive: ReadableStream<Uint8Array>): Promise<void> {
    this.kept.set(`${principal.tenant}/${name}`, Buffer.from(await new Response(archive).arrayBuffer()));
  }
}

describeWith([parts.bubblewrap, parts.python], "what a spec asks of bubblewrap", () => {
  const clock = new ManualClock();
  const workspaces = new KeptWorkspaces();
  const backend = new BubblewrapBackend({ workspaces, clock });
  const folder = mkdtempSync(join(tmpdir(), "ashlar-mounts-"));
  afterAll(async () => {
    await backend.close();
    rmSync(folder, { recursive: true });
  });

  test("a named workspace outlives its sandbox, for its tenant alone", async () => {
    const first = await backend.create(context, { workspace: "report" });
    await first.files.write("notes/one.txt", "kept");
    await first.close();
    const second = await backend.create(context, { workspace: "report" });
    assert.equal(await second.files.readText("notes/one.txt"), "kept");
    await second.close();
    const other = await backend.create({ principal: { tenant: "globex" } }, { workspace: "report" });
    assert.deepEqual(await other.files.list(), []);
    await other.close();
  });

  test("a workspace over the cap is not saved, said so, and the sandbox ends all the same", async () => {
    const sandbox = await backend.create(context, { workspace: "huge" });
    await sandbox.exec(["/usr/bin/truncate", "-s", "1T", "sparse"]);
    await assert.rejects(sandbox.close(), { code: "TOOLS_TOO_LARGE" });
    assert.equal(workspaces.kept.has("acme/huge"), false);
    await sandbox.closed;
  });

  test("a life ends when its time is over, by the clock it was given", async () => {
    const sandbox = await backend.create(context, { limits: { lifetimeMs: 5000 } });
    await clock.advance(4999);
    assert.equal((await sandbox.exec(["/bin/true"])).exitCode, 0);
    await clock.advance(1);
    assert.deepEqual(await sandbox.closed, { reason: "closed" });
    await assert.rejects(sandbox.run("1"), { code: "TOOLS_CLOSED" });
  });

  test("a folder of the host is shown read-only unless said, and not over what the sandbox needs", async () => {
    const [shown, open] = [join(folder, "shown"), join(folder, "open")];
    for (const path of [shown, open]) mkdirSync(path);
    for (const path of [folder, shown]) chmodSync(path, 0o755);
    chmodSync(open, 0o777);
    writeFileSync(join(shown, "table.csv"), "1,2\n");
    const attempt = "cat /data/table.csv; echo x > /data/new || echo refused; echo y > /workspace/out/new";
    await using sandbox = await backend.create(context, {
      mounts: [
        { source: shown, target: "/data" },
        { source: open, target: "/workspace/out", writable: true },
      ],
    });
    const { stdout } = await sandbox.exec(["/bin/sh", "-c", attempt]);
    assert.equal(stdout, "1,2\nrefused\n");
    assert.equal(readFileSync(join(open, "new"), "utf8"), "y\n");
    for (const target of ["/usr/lib", "/proc", "/etc/ssl"]) {
      const refused = backend.create(context, { mounts: [{ source: shown, target }] });
      await assert.rejects(refused, { code: "TOOLS_INVALID" });
    }
  });

  test("a terminal has the size it was given, and the next one", async () => {
    await using sandbox = await backend.create(context);
    const shell = await sandbox.spawn(["/bin/sh", "-c", "stty size; read line; stty size"], {
      pty: { columns: 80, rows: 24 },
    });
    const reader = shell.stdout.pipeThrough(new TextDecoderStream() as never).getReader();
    let seen = "";
    const until = async (text: string): Promise<void> => {
      while (!seen.includes(text)) {
        const { value, done } = await reader.read();
        assert.ok(!done, seen);
        seen += value;
      }
    };
    await until("24 80");
    await shell.resize({ columns: 132, rows: 43 });
    const writer = shell.stdin.getWriter();
    await writer.write(Buffer.from("on\n"));
    await until("43 132");
    assert.deepEqual(await shell.exit, { code: 0 });
  });

  test("without control groups the limits are weaker, said so, and memory still ends", async () => {
    const weak = new BubblewrapBackend({ cgroups: join(folder, "none") });
    await using sandbox = await weak.create(context, { limits: { memoryMiB: 64 } });
    const { limits, notes } = sandbox.capabilities;
    assert.deepEqual([limits.memory, limits.processes, limits.cpus], ["degraded", "degraded", "none"]);
    assert.match(notes.join(" "), /No writable control groups/);
    const { status, error } = await sandbox.run("x = bytearray(2 << 30)");
    assert.ok(status === "died" || error?.name === "MemoryError", status);
    // Below the rlimit, over the limit: the watchdog's to end.
    const held = "x = bytearray(150 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nimport time; time.sleep(50)";
    await assert.rejects(sandbox.run(held), { code: "TOOLS_SANDBOX_DIED", message: /over its limit of memory/ });
    await weak.close();
  });
});
