import { MemoryError } from "../errors.ts";
import type { RecordOperation } from "../record.ts";
import { parseChanges, parseRecord, parseReference } from "./parse.ts";
import { externalKey } from "./record-changes.ts";
import type { RecordsOperation } from "./spans.ts";

export interface Part {
  readonly operation: RecordOperation;
  /** Where the place of the record that it is about stands, if it has a name yet. */
  readonly at?: string;
}

export function parseOperation(operation: RecordOperation): Part {
  switch (operation?.action) {
    case "create":
    case "put": {
      const record = parseRecord(operation.record);
      const { namespace = "/", externalId } = record;
      if (externalId === undefined) {
        if (operation.action === "create") return { operation: { action: "create", record } };
        throw new MemoryError("MEMORY_INVALID", "A put names its record by an external id.");
      }
      const named = { ...record, externalId };
      return { operation: { action: operation.action, record: named }, at: externalKey(namespace, externalId) };
    }
    case "update":
      return {
        operation: { ...operation, changes: parseChanges(operation.changes) },
        at: parseReference(operation.record),
      };
    case "delete":
      return { operation, at: parseReference(operation.record) };
    default:
      throw new MemoryError("MEMORY_INVALID", "A part of a batch is a create, a put, an update or a delete.");
  }
}

/** What the conventions call a batch: by what its parts have in common. */
export function operationOf(parts: readonly RecordOperation[]): RecordsOperation {
  const [action, ...others] = new Set(parts.map((part) => part?.action));
  const alone = others.length === 0 && action !== "put" ? action : undefined;
  return alone === undefined ? "upsert_memory" : `${alone}_memory`;
}

export function attempt<T>(body: () => T): T | MemoryError {
  try {
    return body();
  } catch (error) {
    if (MemoryError.is(error)) return error;
    throw error;
  }
}
