import assert from "node:assert/strict";
import { afterAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { BubblewrapBackend } from "./index.ts";

const PROBE = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
USER, PID, NET, MOUNT, UTS, TIME = 0x10000000, 0x20000000, 0x40000000, 0x20000, 0x04000000, 0x80
def child(act):
    pid = os.fork()
    if pid == 0:
        try: os._exit(0 if act() in (0, None) else 1)
        except OSError: os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
def after(flags, act):
    return child(lambda: -1 if libc.unshare(flags) else act())
def own_root():
    libc.unshare(USER)
    return os.chroot("/proc/self/fdinfo")
def table():
    import socket
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM).setsockopt(0, 64, bytes(128))
def reaches_table():
    try: table()
    except OSError as error: return -1 if error.errno == 1 else 0
print({
  "own": after(USER | PID | NET, lambda: 0),
  "chroot": child(own_root),
  "mounts": child(lambda: libc.unshare(USER | MOUNT)),
  "mount": after(USER, lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
  "names": child(lambda: libc.unshare(USER | UTS)),
  "clocks": child(lambda: libc.unshare(USER | TIME)),
  "filters": after(USER | NET, reaches_table),
})
`;

describeWith([parts.bubblewrap, parts.python], "bubblewrap with user namespaces for the programs inside", () => {
  const context = { principal: { tenant: "acme" } };
  const backend = new BubblewrapBackend();
  afterAll(() => backend.close());

  const outcome = async (userNamespaces: boolean): Promise<string> => {
    await using sandbox = await backend.create(context, { userNamespaces });
    const { stdout, stderr } = await sandbox.exec(["/usr/bin/python3", "-c", PROBE]);
    return stdout.trim() || stderr;
  };

  hostile("a program with namespaces of its own goes on to mounts, clocks and packet filters", {
    control: "asked for, user, process and network namespaces can be made, and chroot works in them",
    async unguarded() {
      assert.match(await outcome(true), /'own': True, 'chroot': True/);
    },
    async guarded() {
      assert.match(
        await outcome(true),
        /'mounts': False, 'mount': False, 'names': False, 'clocks': False, 'filters': False/,
      );
      assert.doesNotMatch(await outcome(false), /True/);
    },
  });
});
