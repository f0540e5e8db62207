import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterAll, expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { describeWith } from "../../../test/support/system-part.ts";
import { Memory } from "./memory.ts";
import { SqliteMemoryStore } from "./sqlite/index.ts";

const context = { principal: { tenant: "acme" } };
const folder = mkdtempSync(join(tmpdir(), "ashlar-crash-"));
afterAll(() => rmSync(folder, { recursive: true }));
const program = fileURLToPath(new URL("fixtures/append-program.ts", import.meta.url));
const arguments_ = ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", program];

/** What the child says, line by line, until `enough`. */
async function said(child: ChildProcess, enough: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
  const lines: string[] = [];
  if (child.stdout === null) return lines;
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (enough(lines)) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return lines;
}

/** Every event has its whole index, and the index tells of no event that is not there. */
async function whole(path: string): Promise<number> {
  const database = new Database(path);
  const store = new SqliteMemoryStore({ database });
  const memory = new Memory({ store });
  let events = 0;
  for (let cursor: string | undefined; ; ) {
    const where = { actor: "ada", session: "s", limit: 1_000, ...(cursor === undefined ? {} : { cursor }) };
    const page = await memory.events.list(context, "m", where);
    events += page.items.length;
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  const { postings } = await store.read({ tenant: "acme", memory: "m" }, { terms: ["e:heron"] });
  const last = await memory.search(context, "m", { text: `turn${events - 1}x`, topK: 1 });
  expect(postings[0]).toHaveLength(3 * events);
  expect(last[0]?.text).toContain(`turn${events - 1}x`);
  expect(await memory.search(context, "m", { text: `turn${events}x` })).toEqual([]);
  database.close();
  return events;
}

hostile("a process is killed while it appends", {
  backend: "sqlite",
  control: "one that writes rows and index into files of their own is killed between the two",
  unguarded() {
    const script = "echo heron > rows; kill -9 $$; echo heron > index";
    expect(spawnSync("sh", ["-c", script], { cwd: folder }).signal).toBe("SIGKILL");
    expect([existsSync(join(folder, "rows")), existsSync(join(folder, "index"))]).toEqual([true, false]);
  },
  async guarded() {
    const path = join(folder, "killed.db");
    for (const kills of [15, 40]) {
      const child = spawn(process.execPath, [...arguments_, path], { stdio: ["ignore", "pipe", "inherit"] });
      const lines = await said(child, ({ length }) => length === kills);
      expect(lines.length).toBeGreaterThanOrEqual(kills);
      const events = await whole(path);
      expect(events).toBeGreaterThanOrEqual(kills);
      rmSync(path);
      for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    }
  },
});

const mounts = {
  name: "a mount namespace of one's own",
  install: "util-linux",
  present: () => spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0,
};

describeWith([mounts], "a file system of its own", () => {
  hostile("the disk is full", {
    backend: "sqlite",
    control: "a program that appends lines to a file leaves the last one cut off",
    async unguarded() {
      const { stdout } = onSmallDisk(`
        i=0; while printf '%01000d\\n' $i >> rows 2>/dev/null; do i=$((i+1)); done; tail -c 1 rows | od -An -c`);
      expect(stdout.trim()).not.toBe("\\n");
    },
    async guarded() {
      const { stdout } = onSmallDisk(
        `"${process.execPath}" ${arguments_.map((each) => `'${each}'`).join(" ")} "$PWD/memory.db"; cp memory.db* '${folder}/full/'`,
      );
      const lines = stdout.trim().split("\n");
      expect(lines.at(-1)).toMatch(/^failed MEMORY_BACKEND_FAILED The disk is full: make room/);
      expect(lines.length).toBeGreaterThan(5);
      expect(await whole(join(folder, "full", "memory.db"))).toBe(lines.length - 1);
    },
  });
});

/** Runs a shell script in a folder of 3 MiB, which is gone afterwards. */
function onSmallDisk(script: string): { readonly stdout: string } {
  const disk = join(folder, "disk");
  mkdirSync(disk, { recursive: true });
  mkdirSync(join(folder, "full"), { recursive: true });
  const mounted = `mount -t tmpfs -o size=3m tmpfs '${disk}' && cd '${disk}' && ${script.trim()}`;
  return spawnSync("unshare", ["-m", "sh", "-c", mounted], { encoding: "utf8" });
}
