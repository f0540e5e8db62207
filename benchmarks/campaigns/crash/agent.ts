import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Agent } from "@ashlar/runtime";

export const STEPS_PER_TURN = 20;

/**
 * Each step has an effect outside of the log and, once its result has come back, says so: one line each in `outside`, in
 * the order in which they happened, with the run that it was. The kernel appends them, and they survive a SIGKILL.
 */
export const walker = (folder: string): Agent => ({
  name: "walker",
  async run(session) {
    const list: number[] = [];
    const run = randomUUID();
    const say = (what: "effect" | "result", key: string) =>
      appendFileSync(join(folder, "outside"), `${what} ${run} ${key}\n`);
    for (let index = 0; index < STEPS_PER_TURN; index++) {
      const key = `${session.id} ${session.turn} append-${index}`;
      const value = await session.step(`append-${index}`, async () => {
        say("effect", key);
        return index;
      });
      say("result", key);
      list.push(value);
    }
    return { list };
  },
});
