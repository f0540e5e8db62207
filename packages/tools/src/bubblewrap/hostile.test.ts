import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { ProcessBackend } from "../process/index.ts";
import type { Sandbox } from "../sandbox.ts";
import { BubblewrapBackend } from "./index.ts";
import { seccompFilter } from "./seccomp.ts";

const context = { principal: { tenant: "acme" } };
/** Never root: the control takes probes that only read. */
const nobody = process.getuid?.() === 0 ? { user: { uid: 65534, gid: 65534 } } : {};
const SYSCALL = (number: number, ...args: readonly (number | string)[]): string =>
  `import ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.syscall(${[number, ...args].join(", ")}) != -1`;
const OPENS = (family: number, type: number): string =>
  `import socket\ntry:\n  socket.socket(${family}, ${type}).close(); ok = True\nexcept OSError: ok = False\nok`;

describeWith([parts.bubblewrap, parts.python], "bubblewrap under attack", () => {
  const guardedBackend = new BubblewrapBackend();
  const openBackend = new ProcessBackend({ unsafe: true, ...nobody });
  const listener = createServer((socket) => socket.destroy());
  const abstract = createServer((socket) => socket.destroy());
  let inside: Sandbox;
  let outside: Sandbox;
  let port = 0;

  beforeAll(async () => {
    writeFileSync(join("/tmp", `ashlar-canary-${process.pid}`), "canary", { mode: 0o644 });
    writeFileSync(join("/dev/shm", `ashlar-canary-${process.pid}`), "canary", { mode: 0o644 });
    await once(listener.listen(0, "127.0.0.1"), "listening");
    await once(abstract.listen(`\0ashlar-${process.pid}`), "listening");
    const address = listener.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
    [inside, outside] = await Promise.all([guardedBackend.create(context), openBackend.create(context)]);
  });
  afterAll(async () => {
    await Promise.all([guardedBackend.close(), openBackend.close()]);
    listener.close();
    abstract.close();
    for (const path of [`/tmp/ashlar-canary-${process.pid}`, `/dev/shm/ashlar-canary-${process.pid}`]) {
      rmSync(path, { recursive: true, force: true });
    }
  });

  /** `code` ends with an expression that is True when the attack succeeds. */
  const attack = (name: string, control: string, code: () => string): void => {
    const outcome = async (sandbox: Sandbox): Promise<string | undefined> => {
      const { status, results, error } = await sandbox.run(code(), { language: "python", timeoutMs: 5000 });
      assert.equal(status, "ok", error?.traceback);
      return results[0]?.data["text/plain"];
    };
    hostile(name, {
      ...{ control, backend: "bubblewrap" },
      unguarded: async () => assert.equal(await outcome(outside), "True"),
      guarded: async () => assert.equal(await outcome(inside), "False"),
    });
  };

  const exists = (path: string) => () => `import os; os.path.exists(${JSON.stringify(path)})`;
  attack("a canary file of the host", "a plain process reads it", exists(`/tmp/ashlar-canary-${process.pid}`));
  attack("shared memory of a sibling", "a plain process finds it", exists(`/dev/shm/ashlar-canary-${process.pid}`));
  attack("the password hashes' file", "a plain process sees it", exists("/etc/shadow"));
  attack("a process of the host", "a plain process sees it", exists(`/proc/${process.pid}`));
  attack("device settings under /sys", "a plain process sees them", exists("/sys/kernel"));
  attack("the hypervisor's or disk's devices", "a plain process sees them", () => {
    return "import os; any(name.startswith(('kvm', 'sd', 'vd', 'nvme', 'mem', 'kmsg')) for name in os.listdir('/dev'))";
  });
  attack("the machine's name", "a plain process reads it", () => {
    return `import socket; socket.gethostname() == ${JSON.stringify(hostname())}`;
  });
  attack("a listener on the host's loopback", "a plain process reaches it", () => {
    return `import socket\ns = socket.socket()\ntry:\n  s.connect(("127.0.0.1", ${port})); ok = True\nexcept OSError: ok = False\nok`;
  });
  attack("an abstract socket of the host", "a plain process reaches it", () => {
    return `import socket\ns = socket.socket(socket.AF_UNIX)\ntry:\n  s.connect("\\0ashlar-${process.pid}"); ok = True\nexcept OSError: ok = False\nok`;
  });
  attack("an AF_VSOCK socket", "a plain process opens one", () => OPENS(40, 1));
  attack("an AF_NETLINK socket", "a plain process opens one", () => OPENS(16, 3));
  attack("another ABI's personality", "a plain process asks for it", () => {
    return `import ctypes; ctypes.CDLL(None).personality(0xffffffff) != -1`;
  });
  attack("capabilities of the bounding set", "a plain process could gain them", () => {
    return "int([l for l in open('/proc/self/status') if l.startswith('CapBnd')][0].split()[1], 16) != 0";
  });
  attack("no system call filter", "a plain process has none", () => {
    return "[l for l in open('/proc/self/status') if l.startswith('Seccomp:')][0].split()[1] == '0'";
  });
  if (process.arch === "x64") {
    attack(
      "ptrace",
      "a plain process traces",
      () =>
        `import os\npid = os.fork()\nif pid == 0:\n  import ctypes; os._exit(0 if ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0 else 1)\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0`,
    );
    attack(
      "a nested user namespace",
      "a plain process makes one",
      () =>
        `import os\npid = os.fork()\nif pid == 0:\n  import ctypes; os._exit(0 if ctypes.CDLL(None).unshare(0x10000000) == 0 else 1)\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0`,
    );
    attack(
      "io_uring",
      "a plain process sets one up",
      () => `import ctypes\nspace = ctypes.create_string_buffer(120)\nctypes.CDLL(None).syscall(425, 4, space) != -1`,
    );
    attack("reading memory with process_vm_readv", "a plain process is answered", () =>
      SYSCALL(310, "__import__('os').getpid()", 0, 0, 0, 0, 0),
    );
  }

  test("frames printed on stdout mean nothing", async () => {
    const { status, stdout } = await inside.run("import os; os.write(1, b'\\0\\0\\0\\x07\\x01\\0\\0\\0\\x01{}'); None");
    assert.deepEqual([status, stdout.includes("{}")], ["ok", true]);
    assert.equal((await inside.run("1")).status, "ok");
  });

  test("a kernel that ends or overwrites its builtins harms only itself", async () => {
    await using sandbox = await guardedBackend.create(context);
    assert.equal((await sandbox.run("import ctypes; ctypes.string_at(0)")).status, "died");
    await sandbox.run("import builtins; builtins.compile = builtins.eval = None");
    assert.equal((await sandbox.run("6 * 7")).results[0]?.data["text/plain"], "42");
  });

  test("a repr that raises or is huge is cut, not fatal", async () => {
    await using sandbox = await guardedBackend.create(context);
    const raised = await sandbox.run("class R:\n  def __repr__(self): raise ValueError\nR()");
    assert.match(raised.results[0]?.data["text/plain"] ?? "", /repr raised/);
    const huge = await sandbox.run("class H:\n  def __repr__(self): return 'x' * (40 << 20)\nH()");
    assert.deepEqual([huge.truncated, (huge.results[0]?.data["text/plain"]?.length ?? 0) <= 1 << 20], [true, true]);
  });

  test("waiting on stdin ends at once; an endless line is cut", async () => {
    assert.equal((await inside.run("input()")).error?.name, "EOFError");
    const flood = await inside.run("print('x' * 50_000_000)");
    assert.deepEqual([flood.truncated, flood.stdout.length], [true, 1024 * 1024]);
  });

  test("pipes, links out and traversal are refused, not followed or waited for", async () => {
    await using sandbox = await guardedBackend.create(context);
    await sandbox.run("import os; os.mkfifo('pipe'); os.symlink('/etc', 'out'); os.symlink('/etc/passwd', 'link')");
    await assert.rejects(sandbox.files.read("pipe"), { code: "TOOLS_FILE_REFUSED" });
    await assert.rejects(sandbox.files.read("out/passwd"), { code: "TOOLS_PATH_OUTSIDE" });
    await assert.rejects(sandbox.files.write("link", "x"), { code: "TOOLS_PATH_OUTSIDE" });
  });

  test("archives that leave the folder, link, or hold more than is allowed are refused whole", async () => {
    await using sandbox = await guardedBackend.create(context);
    const make = `import zipfile, tarfile, io
with zipfile.ZipFile('slip.zip', 'w') as z: z.writestr('../../tmp/slipped', 'x')
with zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('zeros', b'\\0' * 20_000_000)
with tarfile.open('link.tar', 'w') as t:
  i = tarfile.TarInfo('l'); i.type = tarfile.SYMTYPE; i.linkname = '/etc'; t.addfile(i)`;
    assert.equal((await sandbox.run(make)).status, "ok");
    for (const name of ["slip.zip", "bomb.zip", "link.tar"]) {
      const unpacked = sandbox.files.unpack(await sandbox.files.download(name), "into", { maxBytes: 1_000_000 });
      await assert.rejects(unpacked, { code: "TOOLS_ARCHIVE_REFUSED" }, name);
    }
    assert.deepEqual(await sandbox.files.glob("into/**"), []);
  });

  test("siblings share nothing, and a closed sandbox leaves nothing", async () => {
    await using other = await guardedBackend.create(context);
    await inside.run("open('/tmp/mine', 'w').write('x')");
    assert.equal(
      (await other.run("__import__('os').path.exists('/tmp/mine')")).results[0]?.data["text/plain"],
      "False",
    );
  });
});

test("the filter is made for x86-64 and aarch64 and for nothing else", () => {
  for (const architecture of ["x64", "arm64"]) assert.equal((seccompFilter(architecture)?.length ?? 1) % 8, 0);
  assert.equal(seccompFilter("mips"), undefined);
});
