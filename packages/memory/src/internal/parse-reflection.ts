import { z } from "zod";
import { limits } from "../limits.ts";
import type { Reflection } from "../reflection.ts";
import type { Revision } from "../reflector.ts";
import { bytesOf, name, namespacePath } from "./parse.ts";

const ids = z.array(name).max(1_000);
const text = z.string().refine((value) => bytesOf(value) <= limits.recordBytes, `is over ${limits.recordBytes} bytes`);
const reason = z.string().max(4_096);

const revision: z.ZodType<Revision> = z.discriminatedUnion("action", [
  z.strictObject({ action: z.literal("merge"), keep: name, close: ids.min(1), text: text.min(1), reason }),
  z.strictObject({ action: z.literal("close"), keep: name, close: ids.min(1), reason }),
  z.strictObject({
    action: z.literal("learn"),
    from: ids,
    evidence: ids.exactOptional(),
    close: ids,
    namespace: namespacePath,
    subject: name,
    text: text.min(1),
    reason,
  }),
]);

export const revisionList: z.ZodType<readonly Revision[]> = z.array(revision).max(10_000);

export const reflectionSchema: z.ZodType<Reflection> = z.strictObject({
  namespace: namespacePath,
  revisions: revisionList,
  basis: z.record(name, z.int().min(1)),
});
