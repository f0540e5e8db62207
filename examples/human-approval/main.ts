/**
 * A refund that needs a person's word. The agent asks and its process ends; a day later another process starts, a
 * person answers, and the turn goes on where it was. The clock is moved, not waited for.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, Runtime, systemClock } from "@ashlar/runtime";
import { SqliteSessionLog, SqliteWorkQueue } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";

const DAY_MS = 86_400_000;
const [part, file = "", hours = "0"] = process.argv.slice(2);
const context = { principal: { tenant: "acme", user: "ann" } };

const refunds: Agent = {
  name: "refunds",
  async run(session) {
    const charge = await session.step("look-up", async () => ({ id: "ch_17", amount: 4999 }));
    const { allow } = await session.ask("refund", { action: "refund", resource: charge.id, arguments: charge });
    if (!allow) return { refunded: false };
    const receipt = await session.step("refund", async ({ idempotencyKey }) => `refunded once under ${idempotencyKey}`);
    return { refunded: true, receipt };
  },
};

function open(path: string) {
  const offset = Number(hours) * 3_600_000;
  const clock = { now: () => Date.now() + offset, sleep: systemClock.sleep };
  const database = new Database(path);
  const log = new SqliteSessionLog({ database, clock });
  return {
    database,
    runtime: new Runtime({ log, queue: new SqliteWorkQueue({ database, clock }), clock, agents: [refunds] }),
  };
}

if (part === "ask") {
  const { runtime, database } = open(file);
  await runtime.start();
  const { id } = await runtime.sessions.open(context, { agent: "refunds", externalId: "T-9421" });
  await runtime.sessions.send(context, id, { type: "user.message", body: { text: "I was charged twice." } });
  for await (const event of runtime.sessions.events(context, id)) if (event.type === "session.status_waiting") break;
  await runtime.close();
  database.close();
} else if (part === "answer") {
  const { runtime, database } = open(file);
  await runtime.start();
  const [session] = (await runtime.sessions.find(context, { externalId: "T-9421" })).items;
  assert.ok(session);
  assert.equal(session.status, "waiting");
  let request = "";
  for await (const event of runtime.sessions.events(context, session.id)) {
    if (event.type !== "approval.requested") continue;
    request = (event.body as { readonly request: string }).request;
    break;
  }
  await runtime.sessions.answer(context, session.id, request, { allow: true, message: "Seen the statement." });
  for await (const event of runtime.sessions.events(context, session.id)) {
    if (event.seq === undefined) continue;
    console.log(
      `${new Date(event.at).toISOString()}  ${event.type}${event.step === undefined ? "" : ` ${event.step}`}`,
    );
    if (event.type === "session.status_idle") break;
  }
  await runtime.close();
  database.close();
} else {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-approval-"));
  const path = join(folder, "runtime.db");
  const run = (name: string, later: string) => {
    const args = ["--conditions=@ashlar/source", import.meta.filename, name, path, later];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  run("ask", "0");
  console.log("The agent has asked; no process is alive. A day passes.");
  const log = run("answer", "24");
  console.log(log);
  const { runtime, database } = open(path);
  const [session] = (await runtime.sessions.find(context, {})).items;
  assert.ok(session);
  const events = (await runtime.records.events(context, session.id, { limit: 1000 })).items;
  const at = (type: string) => events.find((event) => event.type === type)?.at ?? 0;
  assert.ok(at("approval.answered") - at("approval.requested") >= DAY_MS, "a day lies between question and answer");
  assert.equal(events.filter(({ type, step }) => type === "step.started" && step === "refund").length, 1);
  const [{ activeMs } = { activeMs: DAY_MS }] = (await runtime.records.list(context)).items;
  assert.ok(activeMs < 60_000, "the day of waiting is not metered as active time");
  database.close();
  rmSync(folder, { recursive: true, force: true });
  console.log(`Refunded once; a day of waiting cost ${activeMs} ms of active time.`);
}
