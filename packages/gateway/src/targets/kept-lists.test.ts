import { expect, test } from "vitest";
import { ManualClock } from "../testing/index.ts";
import { KeptLists } from "./kept-lists.ts";

const ann = { principal: { tenant: "acme", user: "ann" } };
const bob = { principal: { tenant: "acme", user: "bob" } };
const tools = [{ name: "read", inputSchema: {} }];

test("a list is kept for as long as its shortest page says, at most five minutes", async () => {
  const clock = new ManualClock();
  const lists = new KeptLists(clock);
  lists.keep(ann, tools, [{ ttlMs: 2000 }, { ttlMs: 1000 }]);
  expect(lists.of(ann)).toBe(tools);
  await clock.advance(1000);
  expect(lists.of(ann)).toBeUndefined();
  lists.keep(ann, tools, [{ ttlMs: 86_400_000 }]);
  await clock.advance(300_000);
  expect(lists.of(ann)).toBeUndefined();
});

test("a list is its principal's own unless every page is public, and one without a ttl is not kept", () => {
  const lists = new KeptLists(new ManualClock());
  lists.keep(ann, tools, [
    { ttlMs: 1000, cacheScope: "public" },
    { ttlMs: 1000, cacheScope: "private" },
  ]);
  expect([lists.of(ann), lists.of(bob)]).toEqual([tools, undefined]);
  lists.keep(bob, tools, [{ ttlMs: 0 }]);
  lists.keep(bob, tools, [{}]);
  expect(lists.of(bob)).toBeUndefined();
  lists.keep(ann, tools, [{ ttlMs: 1000, cacheScope: "public" }]);
  expect(lists.of(bob)).toBe(tools);
});
