import type { Range } from "../memory-store.ts";

/** Callers' words in a key are percent-encoded: ASCII, and without the slash that separates the parts. */
export const part = (text: string): string => encodeURIComponent(text);

const digits = (value: number, width: number): string => String(value).padStart(width, "0");

export const keys = {
  nextGroup: "next/group",
  nextRecord: "next/record",
  definition: (version?: number): string => `definition/${version === undefined ? "current" : digits(version, 10)}`,
  once: (key: string): string => `once/${part(key)}`,
  id: (id: string): string => `id/${part(id)}`,
  session: (actor: string, session = "", branch = ""): string =>
    `session/${[actor, session, branch]
      .filter((each) => each !== "")
      .map(part)
      .join("/")}`,
  about: (actor: string, ordinal?: number): string =>
    `about/${part(actor)}${ordinal === undefined ? "" : `/${digits(ordinal, 10)}`}`,
  event: (group: number, position: number): string => `event/${digits(group, 8)}/${digits(position, 8)}`,
  record: (ordinal: number): string => `record/${digits(ordinal, 10)}`,
  /** An empty part ends the path, so that `/a` read exactly and `/a` read as a prefix are two ranges. */
  namespace: (path: readonly string[], ordinal?: number): string =>
    `namespace/${path.map((each) => `${part(each)}/`).join("")}${ordinal === undefined ? "" : `/${digits(ordinal, 10)}`}`,
  /** What a caller called a record within its namespace. */
  external: (path: readonly string[], externalId: string): string =>
    `external/${path.map((each) => `${part(each)}/`).join("")}/${part(externalId)}`,
  /** Names the set of vectors that a scope holds: another after each time that it held none. */
  generation: (source: string): string => `generation/${source}`,
  vectors: (source: string): string => `vector/${source}/`,
  vector: (source: string, text: number): string => `vector/${source}/${digits(text, 16)}`,
  expiry: (at: number, id: string): string => `expiry/${digits(at, 16)}/${id}`,
} as const;

/** Every key that begins with `prefix`, which ends with a slash. */
export const under = (prefix: string): Pick<Range, "from" | "to"> => ({ from: prefix, to: `${prefix.slice(0, -1)}0` });
