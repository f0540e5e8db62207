import { existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GUEST_COMMAND } from "../guest/launch.ts";
import { nodeInside, PATH_INSIDE, type Python } from "../internal/interpreters.ts";
import { assertMountable } from "../internal/mountable.ts";
import type { SandboxMount, SandboxSpec } from "../sandbox-spec.ts";

const ETC: Readonly<Record<string, string>> = {
  passwd: "root:x:0:0:root:/root:/usr/sbin/nologin\nsandbox:x:1000:1000:sandbox:/workspace:/bin/sh\n",
  group: "root:x:0:\nsandbox:x:1000:\n",
  hosts: "127.0.0.1 localhost\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
  "resolv.conf": "",
};
const SHOWN = ["/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/ssl/certs"];

/** Writes the bundle that `runsc run` takes (OCI runtime specification): programs of the host, files in memory. */
export function writeBundle(
  folder: string,
  {
    python,
    node,
    spec,
    wayOut,
  }: {
    readonly python: Python;
    readonly node: string | undefined;
    readonly spec: SandboxSpec;
    readonly wayOut: readonly SandboxMount[];
  },
): void {
  const root = join(folder, "rootfs");
  for (const name of ["etc", "usr", "proc", "dev", "tmp", "workspace"])
    mkdirSync(join(root, name), { recursive: true });
  for (const [name, text] of Object.entries(ETC)) writeFileSync(join(root, "etc", name), text, { mode: 0o644 });
  const shown: { source: string; target: string; writable?: boolean }[] = [{ source: "/usr", target: "/usr" }];
  for (const name of ["/bin", "/sbin", "/lib", "/lib64"]) {
    if (!existsSync(name)) continue;
    if (lstatSync(name).isSymbolicLink()) symlinkSync(readlinkSync(name), join(root, name));
    else shown.push({ source: name, target: name });
  }
  for (const path of [...SHOWN, python.home ?? ""]) {
    if (existsSync(path)) shown.push({ source: path, target: path });
  }
  if (node !== undefined && nodeInside(node) !== node) shown.push({ source: node, target: nodeInside(node) });
  for (const mount of spec.mounts ?? []) assertMountable(mount);
  const mounts = [...shown, ...(spec.mounts ?? []), ...wayOut].map(({ source, target, writable }) => {
    const file = !lstatSync(source).isDirectory();
    mkdirSync(file ? join(root, target, "..") : join(root, target), { recursive: true });
    if (file) writeFileSync(join(root, target), "");
    return { destination: target, source, type: "bind", options: ["bind", writable ? "rw" : "ro"] };
  });
  const bytes = (spec.limits?.diskMiB ?? 256) * 1024 * 1024;
  const memory = (destination: string, share: number) => ({
    destination,
    source: "tmpfs",
    type: "tmpfs",
    options: ["nosuid", "nodev", "mode=1777", `size=${Math.floor(bytes * share)}`],
  });
  const config = {
    ociVersion: "1.0.2",
    hostname: "sandbox",
    root: { path: "rootfs", readonly: true },
    process: {
      terminal: false,
      user: { uid: 1000, gid: 1000 },
      args: [python.program, ...GUEST_COMMAND],
      env: [`PATH=${PATH_INSIDE}`, "HOME=/workspace", "LANG=C.UTF-8", "TMPDIR=/tmp"],
      cwd: "/workspace",
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: [] },
      ...mounts,
      memory("/workspace", 0.75),
      memory("/tmp", 0.25),
    ],
    linux: { namespaces: ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })) },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
}
