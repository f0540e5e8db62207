import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, test } from "vitest";

/** A program that tests need and npm cannot bring. */
export interface SystemPart {
  readonly name: string;
  /** Debian packages that bring it. */
  readonly install: string;
  present(): boolean;
}

const onPath = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

const part = (name: string, install: string, present: () => boolean = () => onPath(name)): SystemPart => ({
  name,
  install,
  present,
});

export const parts = {
  redis: part("redis-server", "redis-server"),
  postgres: part("postgres", "postgresql", () => existsSync("/usr/lib/postgresql")),
  bubblewrap: part("bwrap", "bubblewrap"),
  gvisor: part("runsc", "runsc"),
  podman: part("podman", "podman runc"),
  chromium: part("chromium", "chromium"),
  headlessShell: part("chromium-headless-shell", "chromium-headless-shell"),
  python: part("/usr/bin/python3", "python3", () => existsSync("/usr/bin/python3")),
  dataScience: part("pandas", "python3-numpy python3-pandas python3-matplotlib", () => {
    return spawnSync("/usr/bin/python3", ["-c", "import numpy, pandas, matplotlib"]).status === 0;
  }),
  iproute: part("ip", "iproute2"),
  curl: part("curl", "curl"),
  secretService: part("gnome-keyring", "gnome-keyring dbus-daemon", () => {
    return onPath("gnome-keyring-daemon") && onPath("dbus-run-session");
  }),
} as const satisfies Record<string, SystemPart>;

/**
 * A suite that needs parts of the system. Where one is missing the suite is skipped with the reason and the install
 * command; under `ASHLAR_REQUIRE_ALL=1` it fails instead.
 */
export function describeWith(needed: readonly SystemPart[], name: string, body: () => void): void {
  const missing = needed.filter((each) => !each.present());
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const reason = `${name} needs ${missing.map((each) => each.name).join(", ")}: apt-get install ${missing.map((each) => each.install).join(" ")}`;
  test(`${name} (system part missing)`, ({ skip }) => {
    if (process.env.ASHLAR_REQUIRE_ALL === "1") throw new Error(reason);
    skip(reason);
  });
}
