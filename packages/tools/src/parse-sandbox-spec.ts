import { normalize } from "node:path/posix";
import { canonicalHost } from "./egress/host-name.ts";
import { ToolsError } from "./errors.ts";
import type { NetworkPolicy } from "./network-policy.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

/** Timers of the platform take no more: about 24 days. */
const LONGEST_MS = 2 ** 31 - 1;
const LONGEST_VALUE = 128 * 1024;
const MIB_MAX = 16 * 1024 * 1024;

const LIMITS: Readonly<Record<string, { readonly min: number; readonly max: number; readonly whole?: boolean }>> = {
  memoryMiB: { min: 8, max: MIB_MAX },
  cpus: { min: 0.01, max: 1024 },
  processes: { min: 1, max: 4_194_304, whole: true },
  diskMiB: { min: 1, max: MIB_MAX },
  wallTimeMs: { min: 1, max: LONGEST_MS },
  lifetimeMs: { min: 1, max: LONGEST_MS },
  outputBytes: { min: 0, max: 1024 * 1024 * 1024, whole: true },
};
const FIELDS: Readonly<Record<string, (value: unknown, at: string) => void>> = {
  languages: (value, at) => each(value, at, text),
  limits: (value, at) => {
    for (const [name, limit] of fields(value, at, Object.keys(LIMITS))) bounded(limit, `${at}.${name}`, LIMITS[name]);
  },
  network: (value) => void parseNetworkPolicy(value),
  networkMutable: flag,
  environment: (value, at) => {
    for (const [name, content] of fields(value, at)) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        refuse(at, `${show(name)} is no name of a variable: letters, digits and _, not a digit first`);
      }
      // The value may be what nobody should read in an error.
      if (typeof content !== "string" || content.includes("\0") || Buffer.byteLength(content) > LONGEST_VALUE) {
        refuse(`${at}.${name}`, `give a string without NUL of at most ${LONGEST_VALUE} bytes`);
      }
    }
  },
  preload: (value, at) =>
    each(value, at, (name, where) => {
      if (typeof name !== "string" || !/^[^\W\d]\w*(\.[^\W\d]\w*)*$/u.test(name)) {
        refuse(where, `${show(name)} is no name of a Python module`);
      }
    }),
  workspace: text,
  mounts: (value, at) => each(value, at, mount),
  userNamespaces: flag,
  image: text,
};

/**
 * Reads a spec that a caller gave, typed or not. Rejects what no backend could keep, with `TOOLS_INVALID` that names
 * the field and what to give instead: a limit that is no number or out of its range, a field that does not exist, a
 * name of a variable, host, module or folder that cannot be one. What a backend does not offer is for it to refuse.
 */
export function parseSandboxSpec(spec: unknown): SandboxSpec {
  for (const [name, value] of fields(spec, "spec", Object.keys(FIELDS))) FIELDS[name]?.(value, `spec.${name}`);
  return spec as SandboxSpec;
}

/** As `parseSandboxSpec`, for the policy of `setNetwork` and of a spec. */
export function parseNetworkPolicy(policy: unknown): NetworkPolicy {
  const at = "network";
  const { mode, hosts } = Object.fromEntries(fields(policy, at, ["mode", "hosts"]));
  if (mode !== "none" && mode !== "open" && mode !== "allow" && mode !== "packages") {
    refuse(`${at}.mode`, `${show(mode)} is no policy: none, allow, packages or open`);
  }
  if (mode === "allow" || hosts !== undefined) {
    if (mode === "none" || mode === "open") refuse(`${at}.hosts`, `the policy ${mode} names no hosts: use allow`);
    each(hosts, `${at}.hosts`, (entry, where) => {
      const { host, port } = Object.fromEntries(fields(entry, where, ["host", "port"]));
      const name = typeof host === "string" ? host.replace(/^\*\./, "") : "";
      if (canonicalHost(name) === undefined || name.includes("*") || (/^\[|:/.test(name) && host !== name)) {
        refuse(`${where}.host`, `${show(host)} is no name, *.name or address; a port stands in its own field`);
      }
      if (port !== undefined) bounded(port, `${where}.port`, { min: 1, max: 65_535, whole: true });
    });
  }
  return policy as NetworkPolicy;
}

function mount(value: unknown, at: string): void {
  const { source, target, writable } = Object.fromEntries(fields(value, at, ["source", "target", "writable"]));
  for (const [name, path] of Object.entries({ source, target })) {
    text(path, `${at}.${name}`);
    if (!path.startsWith("/") || path === "/" || normalize(path) !== path || path.endsWith("/")) {
      refuse(`${at}.${name}`, `${show(path)} is no absolute path in its shortest spelling, below /`);
    }
  }
  if (writable !== undefined) flag(writable, `${at}.writable`);
}

/** Entries of a plain object that are not `undefined`; an unknown name is refused, since a misspelt limit holds nothing. */
function fields(value: unknown, at: string, known?: readonly string[]): readonly (readonly [string, unknown])[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(at, "give an object");
  return Object.entries(value).filter(([name, content]) => {
    if (known !== undefined && !known.includes(name)) {
      refuse(at, `there is no ${show(name)}, only ${known.join(", ")}`);
    }
    return content !== undefined;
  });
}

function each(value: unknown, at: string, check: (entry: unknown, at: string) => void): void {
  if (!Array.isArray(value)) refuse(at, "give a list");
  value.forEach((entry, index) => {
    check(entry, `${at}[${index}]`);
  });
}

function text(value: unknown, at: string): asserts value is string {
  if (typeof value !== "string" || value === "" || value.includes("\0")) {
    refuse(at, "give a string that is not empty and has no NUL");
  }
}

function flag(value: unknown, at: string): void {
  if (typeof value !== "boolean") refuse(at, "give true or false");
}

function bounded(value: unknown, at: string, range: (typeof LIMITS)[string] | undefined): void {
  const { min, max, whole = false } = range ?? { min: 0, max: 0 };
  if (typeof value === "number" && value >= min && value <= max && (!whole || Number.isInteger(value))) return;
  refuse(at, `${show(value)} is no ${whole ? "whole " : ""}number from ${min} to ${max}`);
}

const show = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : String(value).slice(0, 100);

function refuse(at: string, what: string): never {
  throw new ToolsError("TOOLS_INVALID", `${at}: ${what}.`);
}
