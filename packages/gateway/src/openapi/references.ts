import { GatewayError } from "../errors.ts";
import { isNode, type Node } from "./document.ts";

/** A value and the document that its own relative references are read against. */
export interface Located {
  readonly value: unknown;
  readonly root: Node;
  /** Address of `root`; empty for the document that was given. */
  readonly address: string;
}

const MAX_CHAIN = 64;

/** Follows `$ref` one at a time and only when somebody looks: nothing is copied, so a cycle costs nothing. */
export class References {
  readonly #documents = new Map<string, Node>();
  readonly #main: Node;
  readonly #base: string | undefined;

  constructor(main: Node, base?: string) {
    this.#main = main;
    this.#base = base;
    this.#documents.set("", main);
  }

  get main(): Located {
    return { value: this.#main, root: this.#main, address: "" };
  }

  add(address: string, root: Node): void {
    this.#documents.set(address, root);
  }

  has(address: string): boolean {
    return this.#documents.has(address);
  }

  /** The first thing that is not a reference itself; `undefined` value when the reference leads nowhere. */
  follow(from: Located): Located {
    let at = from;
    for (let hop = 0; hop < MAX_CHAIN; hop++) {
      if (!isNode(at.value) || typeof at.value.$ref !== "string") return at;
      at = this.target(at, at.value.$ref);
    }
    throw new GatewayError("GATEWAY_INVALID", "The API document has references that only lead to each other.");
  }

  target({ root, address }: Located, reference: string): Located {
    const hash = reference.indexOf("#");
    const file = hash < 0 ? reference : reference.slice(0, hash);
    const pointer = hash < 0 ? "" : reference.slice(hash + 1);
    const elsewhere = file === "" ? address : this.resolve(address, file);
    const document = file === "" ? root : this.#documents.get(elsewhere);
    return {
      value: document === undefined ? undefined : lookUp(document, pointer),
      root: document ?? root,
      address: elsewhere,
    };
  }

  /** The address of another document as seen from one. */
  resolve(from: string, file: string): string {
    const base = from === "" ? this.#base : from;
    if (base !== undefined && URL.canParse(file, base)) return new URL(file, base).href;
    return file;
  }

  /** Addresses of other documents named anywhere in this one. */
  external(root: Node, address: string): readonly string[] {
    const found = new Set<string>();
    const open: unknown[] = [root];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      if (typeof value !== "object" || value === null) continue;
      for (const each of Object.values(value)) if (typeof each === "object" && each !== null) open.push(each);
      const reference = (value as Node).$ref;
      if (typeof reference === "string" && !reference.startsWith("#")) {
        found.add(this.resolve(address, reference.split("#")[0] ?? ""));
      }
    }
    return [...found].filter((each) => each !== "");
  }
}

/** RFC 6901, as a URI fragment. */
function lookUp(root: Node, pointer: string): unknown {
  if (pointer === "" || pointer === "/") return root;
  let value: unknown = root;
  for (const token of pointer.replace(/^\//, "").split("/")) {
    const key = percentDecoded(token).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Node)[key];
  }
  return value;
}

function percentDecoded(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}
