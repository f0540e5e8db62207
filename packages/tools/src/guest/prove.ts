import { once } from "node:events";
import { createServer } from "node:net";
import type { Sandbox } from "../sandbox.ts";

const CODE = (port: number): string => `
import os, socket
def reaches():
    s = socket.socket(); s.settimeout(1)
    try: s.connect(("127.0.0.1", ${port})); return True
    except OSError: return False
def mounts():
    import ctypes
    return ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0
"|".join(str(x) for x in (os.getuid(), reaches(), mounts(), os.path.exists("/proc/${process.pid}/environ") and b"NODE" in open("/proc/1/environ", "rb").read()))
`;

/** Runs code inside that tries what it must not be able to do; says what it could, or nothing. */
export async function proveGuest(sandbox: Sandbox): Promise<string | undefined> {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { status, results, error } = await sandbox.run(CODE(port), { language: "python" });
    if (status !== "ok") return `Code did not run inside: ${error?.message ?? status}.`;
    const [uid, reached, mounted, saw] = (results[0]?.data["text/plain"] ?? "").replaceAll("'", "").split("|");
    if (uid === "0") return "Code inside ran as root.";
    if (reached !== "False") return "Code inside reached a listener of this host.";
    if (mounted !== "False") return "Code inside could mount a file system.";
    if (saw !== "False") return "Code inside read this process's environment.";
    return undefined;
  } finally {
    server.close();
  }
}
