import type { Sandbox } from "../sandbox.ts";

const LOOK = `
own = open("/proc/self/status").read()
def field(text, name):
    return next((line.split()[1:] for line in text.splitlines() if line.startswith(name + ":")), [])
import os, time
def look():
    seen, wrong = 0, []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open("/proc/%s/cmdline" % pid, "rb").read().replace(b"\\0", b" ").split(b" ")
            status = open("/proc/%s/status" % pid).read()
        except OSError:
            continue
        if b"--no-sandbox" in words:
            wrong.append("A process of the browser was started without its sandbox.")
        if b"--type=renderer" not in words:
            continue
        seen += 1
        if field(status, "Seccomp") != ["2"] or int(field(status, "Seccomp_filters")[0]) <= int(field(own, "Seccomp_filters")[0]):
            wrong.append("A page runs without Chromium's system call filter.")
        if len(field(status, "NSpid")) <= len(field(own, "NSpid")):
            wrong.append("A page runs without namespaces of its own.")
        if int(field(status, "CapEff")[0], 16) != 0:
            wrong.append("A page runs with capabilities.")
    return seen, wrong
# A page's process that is on its way locks itself in before it reads anything of the page.
late = time.monotonic() + 5
seen, wrong = look()
while (seen == 0 or wrong) and time.monotonic() < late:
    time.sleep(0.05)
    seen, wrong = look()
print("\\n".join([*wrong, "pages: %d" % seen]))
`;

/** Looks at the browser's processes from inside; says what holds its pages less than it should, or nothing. */
export async function proveOwnSandbox(sandbox: Sandbox): Promise<string | undefined> {
  const { stdout, stderr } = await sandbox.exec(["/usr/bin/python3", "-I", "-S", "-c", LOOK]);
  const [first = "", ...rest] = stdout.trim().split("\n");
  if (rest.length > 0) return first;
  if (/^pages: [1-9]/.test(first)) return undefined;
  return `The browser's processes could not be looked at: ${(stderr || first).slice(0, 200)}`;
}
