import {
  chmodSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Python } from "../internal/interpreters.ts";
import { assertMountable } from "../internal/mountable.ts";
import type { SandboxMount, SandboxSpec } from "../sandbox-spec.ts";
import { ownPrefix, sweep } from "./leftovers.ts";

const UID = 1000;
/** Copied from the host's `/etc`, where they are there: what programs need to find libraries, fonts and certificates. */
const COPIED = [
  "alternatives",
  "fonts",
  "ld.so.cache",
  "ssl/certs",
  "ca-certificates",
  "matplotlibrc",
  "localtime",
  "mime.types",
] as const;

/** A folder with the synthetic part of `/etc`, made once per backend; readable for the user inside. */
export function makeSkeleton(): string {
  sweep(tmpdir(), (path) => rmSync(path, { recursive: true }));
  const folder = mkdtempSync(join(tmpdir(), ownPrefix()));
  chmodSync(folder, 0o755);
  const etc = join(folder, "etc");
  mkdirSync(etc, { mode: 0o755 });
  const files = {
    passwd: `root:x:0:0:root:/root:/usr/sbin/nologin\nsandbox:x:${UID}:${UID}:sandbox:/workspace:/bin/sh\n`,
    group: `root:x:0:\nsandbox:x:${UID}:\n`,
    hosts: "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
    hostname: "sandbox\n",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text, { mode: 0o644 });
  for (const name of COPIED) {
    const from = join("/etc", name);
    // Links into /usr stay links; one that stands alone, as `localtime` does, is taken by its content.
    if (existsSync(from)) cpSync(realpathSync(from), join(etc, name), { recursive: true, verbatimSymlinks: true });
  }
  return folder;
}

/** Node often stands in a home folder that is closed to the user inside: it gets a second name in the skeleton. */
export function keepNode(skeleton: string, node: string): void {
  const shown = join(skeleton, "node");
  try {
    if ((statSync(node).mode & 0o005) !== 0o005) throw new Error("closed to others");
    linkSync(node, shown);
  } catch {
    copyFileSync(node, shown, constants.COPYFILE_FICLONE);
    chmodSync(shown, 0o755);
  }
}

export interface ProfileOptions {
  readonly skeleton: string;
  readonly spec: SandboxSpec;
  readonly python: Python;
  /** Where Node is inside. */
  readonly node: string | undefined;
  readonly seccompFd: number | undefined;
  /** Beside what the spec mounts. */
  readonly shown?: readonly SandboxMount[];
}

/** The arguments of `bwrap` up to the program. */
export function profile(options: ProfileOptions): readonly string[] {
  const { skeleton, spec, python, node, seccompFd, shown = [] } = options;
  const bytes = (spec.limits?.diskMiB ?? 256) * 1024 * 1024;
  const [workspace, temporary] = [Math.ceil(bytes * 0.75), Math.floor(bytes * 0.25)];
  const words: string[] = [
    ...["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"],
    ...(spec.userNamespaces ? [] : ["--disable-userns"]),
    ...["--uid", String(UID), "--gid", String(UID), "--cap-drop", "ALL", "--hostname", "sandbox"],
    ...["--ro-bind", "/usr", "/usr"],
  ];
  for (const name of ["/bin", "/sbin", "/lib", "/lib64", "/lib32"]) {
    if (!existsSync(name)) continue;
    if (lstatSync(name).isSymbolicLink()) words.push("--symlink", readlinkSync(name), name);
    else words.push("--ro-bind", name, name);
  }
  words.push("--ro-bind", join(skeleton, "etc"), "/etc");
  words.push("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev");
  for (const name of ["/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]) {
    if (existsSync(name)) words.push("--ro-bind", name, name);
  }
  words.push("--size", String(1024 * 1024), "--tmpfs", "/dev/shm");
  words.push("--size", String(workspace), "--tmpfs", "/workspace", "--size", String(temporary), "--tmpfs", "/tmp");
  if (python.home !== undefined) words.push("--ro-bind", python.home, python.home);
  if (node !== undefined && !node.startsWith("/usr/")) words.push("--ro-bind", join(skeleton, "node"), node);
  for (const { source, target, writable } of spec.mounts ?? []) {
    assertMountable({ source, target });
    words.push(writable ? "--bind" : "--ro-bind", source, target);
  }
  for (const { source, target } of shown) words.push("--ro-bind", source, target);
  words.push("--remount-ro", "/", "--chdir", "/workspace");
  if (seccompFd !== undefined) words.push("--seccomp", String(seccompFd));
  return words;
}
