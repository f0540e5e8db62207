import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Agent } from "@ashlar/runtime";

export const STEPS_PER_TURN = 20;

/**
 * Each step has an effect outside of the log (a line in `effects`) and, once its result has come back, says so in
 * `acknowledged`: both are appended by the kernel and survive a SIGKILL.
 */
export const walker = (folder: string): Agent => ({
  name: "walker",
  async run(session) {
    const list: number[] = [];
    for (let index = 0; index < STEPS_PER_TURN; index++) {
      const value = await session.step(`append-${index}`, async ({ idempotencyKey, attempt }) => {
        appendFileSync(join(folder, "effects"), `${idempotencyKey} ${attempt}\n`);
        return index;
      });
      appendFileSync(join(folder, "acknowledged"), `${session.id} ${session.turn} append-${index}\n`);
      list.push(value);
    }
    return { list };
  },
});
