import { z } from "zod";
import type { Metadata } from "../dialect.ts";
import type { Filter } from "../filter.ts";

const field = z
  .string()
  .regex(
    /^(actor|session|branch|kind|namespace|subject|author|confidence|at|metadata\.[\s\S]{1,256})$/,
    "is no field of a hit",
  );
const scalar = z.union([z.string(), z.number(), z.boolean()]);
export const filterList: z.ZodType<readonly Filter[]> = z
  .array(
    z.discriminatedUnion("operator", [
      z.strictObject({ field, operator: z.enum(["EQUALS", "NOT"]), value: scalar }),
      z.strictObject({ field, operator: z.literal("IN"), value: z.array(scalar).max(1_000) }),
      z.strictObject({ field, operator: z.literal("CONTAINS"), value: z.string() }),
      z.strictObject({ field, operator: z.enum(["GT", "LT", "BEFORE", "AFTER"]), value: z.number() }),
      z.strictObject({ field, operator: z.literal("EXISTS"), value: z.boolean() }),
    ]),
  )
  .max(64);

/** Fields are looked up as own properties, so that `metadata.constructor` finds nothing. */
export function meets(row: { readonly metadata: Metadata; readonly at?: number }, all: readonly Filter[]): boolean {
  return all.every((filter) => {
    const inside = filter.field.startsWith("metadata.");
    const holder: object = inside ? row.metadata : row;
    const name = inside ? filter.field.slice("metadata.".length) : filter.field;
    return holds(filter, Object.getOwnPropertyDescriptor(holder, name)?.value as unknown);
  });
}

function holds(filter: Filter, value: unknown): boolean {
  switch (filter.operator) {
    case "EQUALS":
      return value === filter.value;
    case "NOT":
      return value !== filter.value;
    case "IN":
      return (filter.value as readonly unknown[]).includes(value);
    case "CONTAINS":
      return typeof value === "string" && value.includes(filter.value);
    case "GT":
    case "AFTER":
      return typeof value === "number" && value > filter.value;
    case "LT":
    case "BEFORE":
      return typeof value === "number" && value < filter.value;
    case "EXISTS":
      return (value !== undefined) === filter.value;
  }
}
