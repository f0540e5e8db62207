import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { Sandbox } from "../sandbox.ts";
import { BubblewrapBackend } from "./index.ts";

const context = { principal: { tenant: "acme" } };

describeWith([parts.bubblewrap, parts.python], "bubblewrap, code that disturbs its own sandbox", () => {
  const backend = new BubblewrapBackend();
  let inside: Sandbox;
  beforeAll(async () => {
    inside = await backend.create(context, { limits: { memoryMiB: 256, processes: 40, diskMiB: 64 } });
  });
  afterAll(() => backend.close());

  const value = async (code: string): Promise<string | undefined> => {
    const { status, results, error } = await inside.run(code);
    assert.equal(status, "ok", error?.traceback);
    return results[0]?.data["text/plain"];
  };
  const lives = async (): Promise<void> => assert.equal(await value("6 * 7"), "42");

  test("what the kernel keeps from every user namespace fails here too", async () => {
    const outcome = await value(`import ctypes, os, stat
libc = ctypes.CDLL(None)
def works(act):
  try: return act() not in (-1, False)
  except OSError: return False
[name for name, act in {
  "kcore": lambda: os.open("/proc/kcore", 0),
  "kmsg": lambda: os.open("/dev/kmsg", 0),
  "mem": lambda: os.open("/dev/mem", 0),
  "kvm": lambda: os.open("/dev/kvm", 2),
  "kallsyms": lambda: any(int(line.split()[0], 16) for line in open("/proc/kallsyms")),
  "mknod": lambda: os.mknod("/tmp/null", stat.S_IFCHR | 0o600, os.makedev(1, 3)) is None,
  "setuid": lambda: os.setuid(0) is None,
  "setgroups": lambda: os.setgroups([0]) is None,
  "hostname": lambda: libc.sethostname(b"mine", 4),
  "syslog": lambda: libc.klogctl(10, None, 0),
  "clock": lambda: os.nice(-5) is None,
}.items() if works(act)]`);
    assert.equal(outcome, "[]");
  });

  test("an end in the middle of a cell is a result, and the next cell runs", async () => {
    for (const code of ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "raise SystemExit(3)"]) {
      const { status } = await inside.run(code);
      assert.ok(status === "died" || status === "error", `${code}: ${status}`);
      await lives();
    }
  });

  test("a repr of a gigabyte costs at most its own kernel", async () => {
    const { status, results } = await inside.run("class R:\n  def __repr__(self): return 'x' * (1 << 30)\nR()");
    assert.ok(status !== "timeout");
    assert.ok((results[0]?.data["text/plain"]?.length ?? 0) <= 1 << 20);
    await lives();
  });

  test("HTML and SVG with scripts come back as data under their own type, never as text to show", async () => {
    const { results } = await inside.run(`class H:
  def _repr_html_(self): return "<script>alert(1)</script>"
  def _repr_svg_(self): return "<svg onload='alert(1)'/>"
  def __repr__(self): return "plain"
H()`);
    assert.deepEqual(Object.keys(results[0]?.data ?? {}).sort(), ["image/svg+xml", "text/html", "text/plain"]);
    assert.equal(results[0]?.data["text/plain"], "plain");
  });

  test("an argument that no program can take is a typed error", async () => {
    await assert.rejects(inside.exec(["/bin/echo", "x".repeat(3 << 20)]), (error: { readonly code?: string }) => {
      assert.match(error.code ?? "", /^TOOLS_/);
      return true;
    });
    await lives();
  });

  test("a folder deeper than any path can be listed, packed or refused, and removed", async () => {
    await value(
      "import os\nhere = os.getcwd()\nos.mkdir('deep'); os.chdir('deep')\nfor _ in range(3000): os.mkdir('d' * 9); os.chdir('d' * 9)\nos.chdir(here)",
    );
    await inside.files.glob("deep/**").catch(typed);
    await inside.files.pack("deep").catch(typed);
    await inside.files.remove("deep", { recursive: true });
    assert.deepEqual(await inside.files.list(), []);
  });

  test("a sparse file of a terabyte is too large, and its archive is refused", async () => {
    await value("open('sparse', 'w').truncate(1 << 40)");
    await assert.rejects(inside.files.read("sparse"), { code: "TOOLS_TOO_LARGE" });
    await assert.rejects(inside.files.pack(), { code: "TOOLS_TOO_LARGE" });
    await inside.files.remove("sparse");
    await lives();
  });

  test("orphans that ended do not use up the processes", async () => {
    const left = `import os, time
def state(p):
  try:
    return open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()[0]
  except OSError:
    return "gone"
for _ in range(120):
  if os.fork() == 0:
    if os.fork() == 0: os._exit(0)
    os._exit(0)
  os.wait()
for _ in range(200):
  states = [state(p) for p in os.listdir("/proc") if p.isdigit()]
  if "Z" not in states: break
  time.sleep(0.01)
"Z" in states`;
    assert.equal(await value(left), "False");
    await lives();
  });

  test("descriptors used up are an error of the code, and files still work", async () => {
    const used = await inside.run("held = []\nwhile True: held.append(open('/dev/null'))");
    assert.equal(used.error?.name, "OSError");
    await inside.files.write("after.txt", "x");
    assert.equal(await inside.files.readText("after.txt"), "x");
    await inside.clearContext({ language: "python" });
    await lives();
  });

  test("files without number end at a limit, and the sandbox goes on", async () => {
    await using sandbox = await backend.create(context, { limits: { memoryMiB: 64, diskMiB: 16 } });
    await sandbox.run("import os\nos.mkdir('many')\nn = 0\nwhile True: open(f'many/{n}', 'w').close(); n += 1", {
      timeoutMs: 20_000,
    });
    await sandbox.files.remove("many", { recursive: true }).catch(typed);
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
      const swapper = await inside.spawn(["/usr/bin/python3", "-c", swap]);
      let read = 0;
      for (let tries = 0; tries < 300; tries++) {
        const found = await inside.files.readText("swapped/passwd").catch(typed);
        assert.ok(found === undefined || found === "mine", found);
        read += found === undefined ? 0 : 1;
      }
      await swapper.kill();
      assert.ok(read > 0, "the race was never won by the honest folder either");
    },
  });

  test("devices and folders are not read as files", async () => {
    for (const path of ["/dev/zero", "/dev/full", "/proc/self/mem"]) {
      await assert.rejects(inside.files.read(path), { code: "TOOLS_PATH_OUTSIDE" });
    }
    await inside.run("import os; os.makedirs('folder', exist_ok=True)");
    await assert.rejects(inside.files.read("folder"), { code: "TOOLS_FILE_REFUSED" });
  });
});

function typed(error: { readonly code?: string }): undefined {
  assert.match(error.code ?? "", /^TOOLS_/);
  return undefined;
}
