import type { Page } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";

export const DEFAULT_PAGE = 100;
export const LARGEST_PAGE = 1000;

export const pageSize = (limit: number = DEFAULT_PAGE): number =>
  Math.max(1, Math.min(LARGEST_PAGE, Math.trunc(limit)));

/** A page of rows read with one more than `limit`: the extra row only tells that there are more. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  item: (row: Row) => Item,
  position: (row: Row) => string,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const items = shown.map(item);
  return rows.length > limit && last !== undefined ? { items, cursor: encodeCursor(position(last)) } : { items };
}

export const encodeCursor = (position: string): string => Buffer.from(position).toString("base64url");

export function decodeCursor(cursor: string): string {
  const position = Buffer.from(cursor, "base64url").toString();
  if (position === "" || encodeCursor(position) !== cursor) {
    throw new RuntimeError("RUNTIME_INVALID", "The cursor is not one that this list gave: pass it back unchanged.");
  }
  return position;
}
