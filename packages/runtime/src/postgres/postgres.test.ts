import type { Pool } from "pg";
import { afterAll, beforeAll, test } from "vitest";
import { type PrivatePostgres, startPostgres } from "../../../../test/support/postgres.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { sessionLogEquivalence, workQueueEquivalence } from "../testing/fixtures/equivalence.ts";
import {
  blobStoreConformance,
  catalogConformance,
  liveBusConformance,
  sessionLogConformance,
  workQueueConformance,
} from "../testing/index.ts";
import { PostgresBlobStore, PostgresCatalog, PostgresLiveBus, PostgresSessionLog, PostgresWorkQueue } from "./index.ts";

describeWith([parts.postgres], "postgres", () => {
  let server: PrivatePostgres;
  let made = 0;
  const pools: Pool[] = [];
  const newPool = async () => {
    const pool = await server.pool(`law${made++}`);
    pools.push(pool);
    return pool;
  };

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    await server.stop();
  });

  sessionLogConformance({
    test,
    createLog: async ({ ids }) => new PostgresSessionLog({ pool: await newPool(), ids }),
    ownTime: true,
  });
  workQueueConformance({
    test,
    async createQueue({ ids }) {
      const queue = new PostgresWorkQueue({ pool: await newPool(), ids });
      // Its tables are there before a law counts the time.
      await queue.lanes();
      return queue;
    },
    ownTime: true,
  });
  catalogConformance({ test, createCatalog: async () => new PostgresCatalog({ pool: await newPool() }) });
  blobStoreConformance({ test, createStore: async () => new PostgresBlobStore({ pool: await newPool() }) });
  let bus: PostgresLiveBus;
  liveBusConformance({
    test,
    async createBus() {
      bus = new PostgresLiveBus({ pool: await newPool() });
      return bus;
    },
    settle: () => heard(bus),
  });

  test("whatever two owners do to a session log, PostgreSQL answers as the log in memory, and the laws hold", async () => {
    const pool = await newPool();
    await sessionLogEquivalence(async (deps) => {
      const log = new PostgresSessionLog({ pool, ...deps });
      await log.owners();
      await pool.query("TRUNCATE runtime_session, runtime_event, runtime_snapshot, runtime_session_lease");
      return log;
    }, 12);
  });

  test("whatever two workers do to a work queue, PostgreSQL answers as the queue in memory, and no job is lost", async () => {
    const pool = await newPool();
    await workQueueEquivalence(async (deps) => {
      const queue = new PostgresWorkQueue({ pool, ...deps });
      await queue.lanes();
      await pool.query("TRUNCATE runtime_job, runtime_held, runtime_rate, runtime_queue_lease");
      return queue;
    }, 12);
  });
});

/** What was published before a message that arrives has arrived too: the server keeps the order of one sender. */
async function heard(bus: PostgresLiveBus): Promise<void> {
  const context = { principal: { tenant: "settle" } };
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscription = await bus.subscribe(context, "ses_settle", () => resolve());
  await bus.publish(context, "ses_settle", { type: "control" });
  await promise;
  await subscription[Symbol.asyncDispose]();
}
