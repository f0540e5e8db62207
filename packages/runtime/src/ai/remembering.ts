import type { Session } from "../session.ts";
import type { SessionMemory } from "../session-memory.ts";

/** What the memory holds on this input, as an appendix to the instructions; recalled once per turn. */
export async function recalled(session: Session, memory: SessionMemory | undefined, text: string): Promise<string> {
  if (memory === undefined) return "";
  const found = await session.step(
    "memory.recall",
    async () => (await memory.recall(session.context, { text, limit: 8 })).map((each) => ({ ...each })),
    { arguments: { text }, pure: true },
  );
  if (found.length === 0) return "";
  return `\n\nWhat you remember that may matter here:\n${found.map((each) => `- ${each.text}`).join("\n")}`;
}

export async function remember(
  session: Session,
  memory: SessionMemory | undefined,
  { asked, answered, at }: { readonly asked: string; readonly answered: string; readonly at: number },
): Promise<void> {
  if (memory === undefined) return;
  for (const [role, text] of [
    ["user", asked],
    ["assistant", answered],
  ] as const) {
    await session.step(`memory.remember.${role}`, async ({ idempotencyKey }) => {
      await memory.remember({ ...session.context, idempotencyKey }, { role, text, at });
      return null;
    });
  }
}
