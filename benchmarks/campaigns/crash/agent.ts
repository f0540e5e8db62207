import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Agent } from "@ashlar/runtime";

export const STEPS_PER_TURN = 20;

/**
 * Each step has an effect outside of the log and, once its result has come back, says so: one line each in `outside`, in
 * the order in which they happened. The kernel appends them, and they survive a SIGKILL.
 */
export const walker = (folder: string): Agent => ({
  name: "walker",
  async run(session) {
    const list: number[] = [];
    for (let index = 0; index < STEPS_PER_TURN; index++) {
      const key = `${session.id} ${session.turn} append-${index}`;
      const value = await session.step(`append-${index}`, async () => {
        appendFileSync(join(folder, "outside"), `effect ${key}\n`);
        return index;
      });
      appendFileSync(join(folder, "outside"), `result ${key}\n`);
      list.push(value);
    }
    return { list };
  },
});
