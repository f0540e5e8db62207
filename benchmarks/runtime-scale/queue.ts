import { createPostgresBackend, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Place } from "../campaigns/crash/engine.ts";

const NAME = "bare";

/** The constructor's arguments after the name: BullMQ 6 has a backend for each of the two servers. */
function backed(place: Place): readonly [object, ...unknown[]] {
  if (place.profile === "postgres") {
    const connection = { host: place.host, user: place.user, schema: "bullmq", max: 10, migrate: true };
    return [{ connection }, createPostgresBackend];
  }
  if (place.profile !== "redis") throw new Error("BullMQ has no file.");
  return [{ connection: new Redis(place.at, { maxRetriesPerRequest: null }) }];
}

/** Jobs of bare BullMQ, as many as there are turns. */
export async function fill(place: Place, jobs: number): Promise<void> {
  const [options, ...backend] = backed(place);
  const queue = new (Queue as new (name: string, ...rest: unknown[]) => Queue)(NAME, options, ...backend);
  for (let at = 0; at < jobs; at += 500) {
    await queue.addBulk(
      Array.from({ length: Math.min(500, jobs - at) }, (_, index) => ({ name: "turn", data: { session: at + index } })),
    );
  }
  await queue.close();
  (options as { readonly connection: { disconnect?(): void } }).connection.disconnect?.();
}

export async function work(place: Place, concurrency: number, done: () => void): Promise<() => Promise<void>> {
  const [options, ...backend] = backed(place);
  const all = { ...options, concurrency, removeOnComplete: { count: 0 } };
  const handler = async () => done();
  const worker = new (Worker as new (name: string, ...rest: unknown[]) => Worker)(NAME, handler, all, ...backend);
  await worker.waitUntilReady();
  return () => worker.close(true);
}
