import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { hostileSandboxSuite, PYTHON } from "../fixtures/hostile-sandbox-suite.ts";
import { sandboxProbes } from "../fixtures/sandbox-probes.ts";
import { ProcessBackend } from "../process/index.ts";
import type { Sandbox } from "../sandbox.ts";
import { BubblewrapBackend } from "./index.ts";
import { makeSkeleton, profile } from "./profile.ts";

const context = { principal: { tenant: "acme" } };
const root = process.getuid?.() === 0;
const SECRET = "ASHLAR_TEST_SECRET";
const [TCP_PORT, UDP_PORT] = [20_000 + (process.pid % 10_000), 30_001 + (process.pid % 10_000)];
const IPC_KEY = 0x41000000 + process.pid;

describeWith([parts.bubblewrap, parts.python], "bubblewrap, probe by probe", () => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-hostile-"));
  const [canary, leaky, socketPath] = [join(folder, "canary"), join(folder, "bwrap"), join(folder, "docker.sock")];
  const skeleton = makeSkeleton();
  const guarded = new BubblewrapBackend({ bwrap: leaky });
  const open = new ProcessBackend({ unsafe: true, ...(root ? { user: { uid: 65534, gid: 65534 } } : {}) });
  const listeners = [createServer((socket) => socket.destroy()), createServer((socket) => socket.destroy())] as const;
  const names = createSocket("udp4");
  let inside: Sandbox;
  let outside: Sandbox;

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    writeFileSync(canary, "canary", { mode: 0o644 });
    writeFileSync(leaky, `#!/bin/sh\nexec 9<${canary}\nexec /usr/bin/bwrap "$@"\n`, { mode: 0o755 });
    process.env[SECRET] = "1";
    await once(listeners[0].listen(TCP_PORT, "::"), "listening");
    await once(listeners[1].listen(socketPath), "listening");
    chmodSync(socketPath, 0o777);
    names.on("message", (_, { port, address }) => names.send("answer", port, address));
    await once(names.bind(UDP_PORT, "127.0.0.1"), "listening");
    [inside, outside] = await Promise.all([guarded.create(context), open.create(context)]);
    const planted = await outside.exec(ipc("libc.shmget(k, 4096, 0o1666); libc.mq_open(n, 66, 0o666, None)"));
    assert.equal(planted.exitCode, 0, planted.stderr);
  });
  afterAll(async () => {
    delete process.env[SECRET];
    await outside.exec(ipc("libc.shmctl(libc.shmget(k, 0, 0), 0, None); libc.mq_unlink(n)"));
    await Promise.all([guarded.close(), open.close()]);
    for (const listener of listeners) listener.close();
    names.close();
    for (const path of [folder, skeleton]) rmSync(path, { recursive: true });
  });

  const ipc = (code: string): readonly string[] => {
    const named = `import ctypes; libc = ctypes.CDLL(None); k = ${IPC_KEY}; n = b"/ashlar-${IPC_KEY}"`;
    return ["/usr/bin/python3", "-I", "-c", `${named}; ${code}`];
  };

  /** In namespaces of its own and as nobody on the host, as the real one: only the guards under test are left out. */
  const weakened = (stdin: string): string => {
    const whole = profile({
      skeleton,
      spec: {},
      python: { program: "/usr/bin/python3" },
      node: undefined,
      seccompFd: undefined,
    });
    const words: string[] = [];
    for (let at = 0; at < whole.length; at++) {
      if (whole[at] === "--disable-userns") continue;
      if (whole[at] === "--ro-bind" && whole[at + 1]?.startsWith("/proc/")) at += 2;
      else if (whole[at] === "--remount-ro") words.push("--tmpfs", "/usr/local", "--remount-ro");
      else words.push(whole[at] ?? "");
    }
    const drop = root ? ["/usr/bin/setpriv", "--reuid=1500000001", "--regid=1500000001", "--clear-groups"] : [];
    const [program = "", ...rest] = [...drop, leaky, ...words, "--clearenv", "--", ...PYTHON];
    const { status, stdout, stderr } = spawnSync(program, rest, {
      ...{ input: stdin, timeout: 20_000, killSignal: "SIGKILL" },
      env: { ...process.env, [SECRET]: "1" },
    });
    assert.equal(status, 0, stderr.toString());
    return stdout.toString();
  };

  hostileSandboxSuite({
    hostile,
    backend: "bubblewrap",
    probes: sandboxProbes({
      ...{ canary, secretName: SECRET, hostPid: process.pid, socketPath },
      ...{ udpPort: UDP_PORT, tcpPort: TCP_PORT, ipcKey: IPC_KEY },
    }),
    inside: () => inside,
    without: { process: async (stdin) => (await outside.exec(PYTHON, { stdin })).stdout, weakened },
  });
});
