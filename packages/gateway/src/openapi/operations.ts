import { safeName } from "../tool-names.ts";
import { type ApiDocument, isNode, type Node } from "./document.ts";
import type { Located, References } from "./references.ts";

export interface Operation {
  /** Unique in its document, at most 64 characters. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly item: Located;
  readonly operation: Located & { readonly value: Node };
}

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** The operations of a document by name; neither their parameters nor their schemas are looked at yet. */
export function operationsOf({ root }: ApiDocument, references: References): ReadonlyMap<string, Operation> {
  const found = new Map<string, Operation>();
  const paths = references.follow({ ...references.main, value: root.paths });
  if (!isNode(paths.value)) return found;
  for (const [path, entry] of Object.entries(paths.value)) {
    if (!path.startsWith("/")) continue;
    const item = references.follow({ ...paths, value: entry });
    if (!isNode(item.value)) continue;
    for (const method of METHODS) {
      const operation = references.follow({ ...item, value: item.value[method] });
      if (!isNode(operation.value)) continue;
      const name = uniqueName(operation.value, method, path, found);
      found.set(name, { name, method, path, item, operation: { ...operation, value: operation.value } });
    }
  }
  return found;
}

function uniqueName({ operationId }: Node, method: string, path: string, taken: ReadonlyMap<string, unknown>): string {
  const own = typeof operationId === "string" && /[A-Za-z0-9]/.test(operationId) ? operationId : undefined;
  const name = safeName(
    own?.trim().replaceAll(/[^A-Za-z0-9_-]+/g, "_") ?? `${method}${path}`.replaceAll(/[^A-Za-z0-9]+/g, "_"),
  );
  if (!taken.has(name)) return name;
  return safeName(`${name} ${method} ${path}`);
}
