import assert from "node:assert/strict";
import { test } from "vitest";
import { ManualClock } from "../testing/index.ts";
import { ControlLease } from "./control-lease.ts";

test("a hold that is not renewed ends, one that is goes on, and changes are told", async () => {
  const clock = new ManualClock();
  const lease = new ControlLease({ clock });
  const told: (string | undefined)[] = [];
  lease.onChange((holder) => told.push(holder?.by));
  const { since } = lease.take({ by: "Ada", leaseMs: 1_000 });
  await clock.advance(900);
  assert.deepEqual(lease.take({ by: "Ada", leaseMs: 1_000 }), { by: "Ada", since, expiresAt: since + 1_900 });
  await clock.advance(900);
  assert.equal(lease.holder?.by, "Ada");
  let free = false;
  const waiting = lease.free().then(() => {
    free = true;
  });
  await clock.advance(99);
  assert.equal(free, false);
  await clock.advance(1);
  await waiting;
  assert.equal(lease.holder, undefined);
  assert.deepEqual(told, ["Ada", undefined]);
});

test("who waits gives up with a signal, and goes on when the lease is closed", async () => {
  const lease = new ControlLease({ clock: new ManualClock() });
  await lease.free();
  lease.take({ by: "Ada" });
  const enough = new AbortController();
  const impatient = lease.free(enough.signal);
  const patient = lease.free();
  enough.abort(new Error("enough"));
  await assert.rejects(impatient, /enough/);
  lease.close();
  await patient;
});
