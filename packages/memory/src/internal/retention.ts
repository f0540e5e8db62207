import type { MemoryDefinition, NewDefinition } from "../definition.ts";

/** When something written now goes by the memory's definition; empty when it stays. */
export function retained(
  definition: string | undefined,
  part: keyof NonNullable<NewDefinition["retention"]>,
  now: number,
): { readonly expiresAt?: number } {
  if (definition === undefined) return {};
  const lasts = (JSON.parse(definition) as MemoryDefinition).retention?.[part];
  return lasts === undefined ? {} : { expiresAt: now + lasts };
}
