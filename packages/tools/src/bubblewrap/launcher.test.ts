import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { Launcher, SECCOMP_FD, type Started, type StartRequest } from "./launcher.ts";

const PYTHON = "/usr/bin/python3";

describeWith([parts.python], "the launcher", () => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-launcher-"));
  const path = join(folder, "launcher.sock");
  let launcher: Launcher;
  let count = 0;
  beforeAll(async () => {
    launcher = await Launcher.start(PYTHON, path);
  });
  afterAll(() => {
    launcher.close();
    rmSync(folder, { recursive: true });
  });

  const start = (command: readonly string[], more: Partial<StartRequest> = {}, by = launcher): Started =>
    by.start({
      ...{
        id: `law-${count++}`,
        command,
        environment: {},
        groups: [],
        rlimits: {},
        user: undefined,
        filter: undefined,
      },
      ...more,
    });
  const says = async (code: string, more?: Partial<StartRequest>): Promise<string> =>
    (await text(start([PYTHON, "-I", "-S", "-c", code], more).socket)).trim();

  test("a program speaks over its connection, and how it ended is told", async () => {
    const cat = start(["/bin/cat"]);
    cat.socket.end("through");
    assert.equal(await text(cat.socket), "through");
    assert.deepEqual(await cat.exited, { reason: "ended with 0" });
  });

  test("what it said on stderr is the reason, cut", async () => {
    const { exited } = start(["/bin/sh", "-c", "echo no such place >&2; exit 7"]);
    assert.deepEqual(await exited, { reason: "no such place" });
    const flood = start(["/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x >&2"]);
    assert.equal((await flood.exited).reason.length, 500);
  });

  test("a program that is not there is an end with a reason", async () => {
    assert.match((await start(["/no/such/program"]).exited).reason, /FileNotFoundError/);
  });

  test("a kill ends one program and no other", async () => {
    const [one, other] = [start(["/bin/cat"]), start(["/bin/cat"])];
    one.kill();
    assert.deepEqual(await one.exited, { reason: "ended with signal 9" });
    other.socket.end("still here");
    assert.equal(await text(other.socket), "still here");
  });

  test("a program has the variables it was given and no descriptor but its own", async () => {
    const code =
      "import os; print(repr(open('/proc/self/environ').read()), sorted(map(int, os.listdir('/proc/self/fd')))[:-1])";
    assert.equal(await says(code, { environment: { A: "1" } }), "'A=1\\x00' [0, 1, 2]");
    const filter = Buffer.from("00ff", "hex");
    assert.equal(await says(`import os; print(os.read(${SECCOMP_FD}, 9).hex())`, { filter }), "00ff");
  });

  test("groups are joined before the program runs; one that refuses keeps it from running", async () => {
    const list = join(folder, "cgroup.procs");
    writeFileSync(list, "");
    assert.equal(await says(`print(open(${JSON.stringify(list)}).read())`, { groups: [list] }), "0");
    const ran = join(folder, "ran");
    const { exited } = start(["/bin/sh", "-c", `echo > ${ran}`], { groups: [join(folder, "none", "cgroup.procs")] });
    assert.match((await exited).reason, /FileNotFoundError/);
    assert.equal(statSync(ran, { throwIfNoEntry: false }), undefined);
  });

  test("limits of resources hold", async () => {
    const code = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))";
    assert.equal(await says(code, { rlimits: { RLIMIT_NOFILE: 64, RLIMIT_CORE: 0 } }), "(64, 64) (0, 0)");
  });

  test("without control groups, a tree over its memory or its number of processes is ended, and one below is not", async () => {
    const watch = { memoryBytes: 100 << 20, processes: 8 };
    const hoard = (mebibytes: number) =>
      `import sys; held = bytearray(${mebibytes} << 20); held[::4096] = bytes(b"x" * len(held[::4096])); sys.stdin.read()`;
    const greedy = start([PYTHON, "-I", "-S", "-c", hoard(200)], { watch });
    assert.deepEqual(await greedy.exited, { reason: "over its limit of memory" });
    const forks =
      "import os, signal\nfor _ in range(20):\n  if os.fork() == 0: signal.alarm(3); signal.pause()\nsignal.alarm(3); signal.pause()";
    const many = start([PYTHON, "-I", "-S", "-c", forks], { watch });
    assert.deepEqual(await many.exited, { reason: "over its limit of processes" });
    const modest = start([PYTHON, "-I", "-S", "-c", hoard(20)], { watch });
    modest.socket.end("enough");
    assert.deepEqual(await modest.exited, { reason: "ended with 0" });
  });

  test.runIf(process.getuid?.() === 0)("another user is become for good, with no groups", async () => {
    const code = "import os; print(os.getresuid(), os.getresgid(), os.getgroups())";
    const user = 1_500_000_003;
    assert.equal(await says(code, { user }), `(${user}, ${user}, ${user}) (${user}, ${user}, ${user}) []`);
  });

  test("when it has ended, what it started is told to have ended, and nothing new starts", async () => {
    const other = await Launcher.start(PYTHON, join(folder, "other.sock"));
    const cat = start(["/bin/cat"], {}, other);
    other.close();
    assert.match((await cat.exited).reason, /launcher has ended/);
    assert.match((await start(["/bin/cat"], {}, other).exited).reason, /launcher has ended/);
  });

  hostile("another user, or words that are no request, on the launcher's socket", {
    control: "a request there starts a program",
    unguarded: async () => assert.equal(await says("print(1)"), "1"),
    async guarded() {
      assert.equal(statSync(path).mode & 0o077, 0);
      for (const body of ["", "no json", "5", "{}", '{"id": "x", "filter": 1}']) {
        const socket = connect(path);
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length);
        socket.end(Buffer.concat([head, Buffer.from(body)]));
        await text(socket);
      }
      assert.equal(await says("print(2)"), "2");
    },
  });
});
