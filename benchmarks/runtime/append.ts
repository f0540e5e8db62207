import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EVENT_SCHEMA_VERSION, INPUT_FENCE, type NewEvent, systemIds } from "@ashlar/runtime";
import { SqliteSessionLog } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";

const APPENDS = 10_000;
const BATCH = 100;
const context = { principal: { tenant: "bench" } };

const event = (index: number): NewEvent => ({
  id: systemIds.next("evt"),
  type: "step.completed",
  at: 1_760_000_000_000 + index,
  turn: 1,
  step: `step-${index}`,
  attempt: 1,
  idempotencyKey: `1:step-${index}:completed`,
  schemaVersion: EVENT_SCHEMA_VERSION,
  body: { output: { ticket: "T-9421", amount: 4999, note: "duplicate charge found on the second statement" } },
});

function withFile<T>(body: (path: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-bench-"));
  return Promise.resolve(body(join(folder, "bench.db"))).finally(() =>
    rmSync(folder, { recursive: true, force: true }),
  );
}

/** Events per second, one per transaction, or `BATCH` of them. */
export const appendRate = (batch: boolean): Promise<number> =>
  withFile(async (path) => {
    const database = new Database(path);
    const log = new SqliteSessionLog({ database });
    await log.create(context, {
      ...{ id: "ses_1", agent: "a", agentVersion: "1", status: "running", metadata: {}, state: {}, at: 1 },
      events: [],
    });
    const claim = await log.claim(context, "ses_1", { owner: "bench" });
    const fence = claim?.fence ?? INPUT_FENCE;
    const size = batch ? BATCH : 1;
    const batches = Array.from({ length: APPENDS / size }, (_, at) =>
      Array.from({ length: size }, (_, index) => event(at * size + index)),
    );
    const start = performance.now();
    for (const events of batches) await log.append(context, "ses_1", fence, events);
    const elapsed = performance.now() - start;
    database.close();
    return (APPENDS / elapsed) * 1000;
  });

/** The same rows into the same table and indexes, one transaction each, with the bare driver and no fence. */
export const bareRate = (): Promise<number> =>
  withFile((path) => {
    const database = new Database(path);
    new SqliteSessionLog({ database });
    const insert = database.prepare(
      `INSERT INTO runtime_event (session, seq, id, type, at, fence, turn, step, attempt, idempotency_key, schema_version, body)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    const events = Array.from({ length: APPENDS }, (_, index) => event(index));
    const start = performance.now();
    for (const [index, each] of events.entries()) {
      insert.run(
        ...[index + 1, each.id, each.type, each.at, "1:0123456789abcdef", each.turn, each.step, each.attempt],
        ...[each.idempotencyKey, each.schemaVersion, JSON.stringify(each.body)],
      );
    }
    const elapsed = performance.now() - start;
    database.close();
    return (APPENDS / elapsed) * 1000;
  });

/** Milliseconds of one append into a log of `length` events. */
export const appendMsAt = (length: number): Promise<number> =>
  withFile(async (path) => {
    const database = new Database(path);
    const log = new SqliteSessionLog({ database });
    await log.create(context, {
      ...{ id: "ses_1", agent: "a", agentVersion: "1", status: "running", metadata: {}, state: {}, at: 1 },
      events: [],
    });
    const claim = await log.claim(context, "ses_1", { owner: "bench" });
    const fence = claim?.fence ?? INPUT_FENCE;
    for (let at = 0; at < length; at += 1000) {
      await log.append(
        context,
        "ses_1",
        fence,
        Array.from({ length: 1000 }, (_, index) => event(at + index)),
      );
    }
    const start = performance.now();
    for (let index = 0; index < 1000; index++) await log.append(context, "ses_1", fence, [event(length + index)]);
    const each = (performance.now() - start) / 1000;
    database.close();
    return each;
  });
