import assert from "node:assert/strict";
import { Memory } from "@ashlar/memory";
import { SqliteMemoryStore } from "@ashlar/memory/sqlite";
import Database from "better-sqlite3";

const database = new Database(process.argv[2] ?? ":memory:");
const memory = new Memory({ store: new SqliteMemoryStore({ database }) });
const context = { principal: { tenant: "acme" } };

const said = { actor: "ada", session: "ticket-1", role: "user" } as const;
await memory.events.append(context, "support", { ...said, text: "Which card do you want the refund on?" });
await memory.events.append(context, "support", { ...said, text: "The blue one, please." });
const home = await memory.records.create(context, "support", { text: "Ada lives in Rome.", actor: "ada" });
await memory.records.supersede(context, "support", home.id, { text: "Ada lives in Oslo.", actor: "ada" });

const texts = async (text: string) => (await memory.search(context, "support", { text })).map((hit) => hit.text);
const [refund, lives] = [await texts("refund card"), await texts("where does Ada live?")];
console.log({ refund, lives });
assert.ok(refund.includes("The blue one, please."), "found through the turn before it");
assert.deepEqual(lives, ["Ada lives in Oslo."], "the old fact is history");
database.close();
