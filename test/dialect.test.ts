import { uuidSource } from "@ashlar/runtime";
import { ManualClock } from "@ashlar/runtime/testing";
import { expect, test } from "vitest";

test("ids rise strictly while the clock stands still or steps back", () => {
  const clock = new ManualClock();
  const ids = uuidSource(clock);
  const made = Array.from({ length: 10_000 }, (_, index) => {
    if (index === 5_000) clock.jump(clock.now() - 60_000);
    return ids.next("mem");
  });
  expect(made).toEqual([...made].sort());
  expect(new Set(made).size).toBe(made.length);
});
