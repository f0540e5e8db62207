import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Agent } from "../agent.ts";
import { field, until } from "../fixtures/stage.ts";
import { Runtime } from "../runtime.ts";
import { SqliteCatalog, SqliteSessionLog, SqliteWorkQueue } from "../sqlite/index.ts";
import { commandLine } from "./command-line.ts";

const run = promisify(execFile);
const program = new URL("./ashlar.ts", import.meta.url).pathname;
const context = { principal: { tenant: "acme" } };
const agent: Agent = {
  name: "pays",
  async run(session) {
    const { allow } = await session.ask("pay", { action: "refund" });
    return { allow };
  },
};

let folder = "";
let file = "";
let runtime: Runtime;
let database: Database.Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-cli-"));
  file = join(folder, "runtime.db");
  database = new Database(file);
  const catalog = new SqliteCatalog({ database });
  await catalog.put(context, "agent", "catalogued", { model: "m", system: "s", description: "From the catalog." });
  runtime = new Runtime({
    ...{ log: new SqliteSessionLog({ database }), queue: new SqliteWorkQueue({ database }), agents: [agent] },
    sweepMs: 50,
  });
  await runtime.start();
});
afterAll(async () => {
  await runtime.close();
  database.close();
  await rm(folder, { recursive: true, force: true });
});

async function ashlar(...words: readonly string[]) {
  const [out, errors]: [string[], string[]] = [[], []];
  const terminal = {
    environment: { ASHLAR_RUNTIME_FILE: file },
    out: (line: string) => void out.push(line),
    error: (line: string) => void errors.push(line),
  };
  const code = await commandLine(["--tenant", "acme", ...words], terminal);
  return { code, out, error: errors.join("\n") };
}

type Said = Awaited<ReturnType<typeof ashlar>>;
const json = ({ out }: Pick<Said, "out">) => out.map((line) => JSON.parse(line) as { readonly [key: string]: never });

async function waiting(): Promise<string> {
  const { id } = await runtime.sessions.open(context, { agent: "pays" });
  await runtime.sessions.send(context, id, { type: "user.message", body: null });
  await until(runtime, id, "session.status_waiting");
  return id;
}

test("a person lists, shows, approves and follows a session that another process runs", async () => {
  const id = await waiting();
  const [listed, shown, text] = await Promise.all([
    ashlar("sessions", "ls", "--status", "waiting", "--agent", "pays", "--json"),
    ashlar("sessions", "show", id, "--json"),
    ashlar("sessions", "ls"),
  ]);
  expect(json(listed).map((each) => each.id)).toContain(id);
  expect(json(shown)).toMatchObject([{ id, agent: "pays", status: "waiting" }]);
  expect(text.out.join("\n")).toMatch(new RegExp(`${id}  waiting  pays@1`));
  const asked = await until(runtime, id, "approval.requested");
  const answer = ["sessions", "approve", id, String(field(asked, "request")), "--message", "fine", "--json"];
  expect(json(await ashlar(...answer))).toMatchObject([{ session: id, allow: true, message: "fine" }]);
  await until(runtime, id, "turn.completed");
  await runtime.sessions.kill(context, id);
  const tail = json(await ashlar("sessions", "tail", id, "--after", "2", "--json"));
  expect(tail[0]).toMatchObject({ seq: 3 });
  expect(tail.at(-1)).toMatchObject({ type: "session.ended" });
});

test("a deny, a fork and a kill act on the session; agents ls shows the catalog and what has sessions", async () => {
  const id = await waiting();
  const asked = await until(runtime, id, "approval.requested");
  const [forked] = json(await ashlar("sessions", "fork", id, "--after", String(asked.seq), "--json"));
  expect(forked).toMatchObject({ effects: "recorded" });
  await ashlar("sessions", "approve", id, String(field(asked, "request")), "--deny");
  expect(field(await until(runtime, id, "turn.completed"), "output")).toEqual({ allow: false });
  expect(await ashlar("sessions", "kill", id)).toEqual({ code: 0, out: [`${id} is killed.`], error: "" });
  expect((await runtime.sessions.get(context, id)).status).toBe("ended");
  const agents = json(await ashlar("agents", "ls", "--json"));
  expect(agents).toEqual([
    { name: "catalogued", version: "1", description: "From the catalog.", sessions: 0 },
    { name: "pays", version: "1", sessions: expect.any(Number) },
  ]);
});

test("what cannot be done is said on the error stream, with code 1 and nothing on standard output", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["sessions", "dance"], /sessions dance is no command/],
    [["sessions", "show"], /session is missing/],
    [["sessions", "show", "ses_none"], /no session ses_none/],
    [["sessions", "fork", "ses_none"], /Give --after/],
    [["sessions", "ls", "--data", join(folder, "none.db")], /There is no file/],
    [["sessions", "ls", "--colour"], /colour/],
  ];
  for (const [words, reason] of cases) {
    const { code, out, error } = await ashlar(...words);
    expect([code, out]).toEqual([1, []]);
    expect(error).toMatch(reason);
  }
});

test("the program gives its words to the command line, its file from the environment and its code to the shell", async () => {
  const id = await waiting();
  const node = ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning", program];
  const start = (...words: readonly string[]) =>
    run(process.execPath, [...node, "--tenant", "acme", ...words], { env: { ASHLAR_RUNTIME_FILE: file } });
  const [shown, refused] = await Promise.all([
    start("sessions", "show", id, "--json"),
    start("sessions", "show", "ses_none").catch((failure: unknown) => failure),
  ]);
  expect(json({ out: shown.stdout.trim().split("\n") })).toMatchObject([{ id, status: "waiting" }]);
  expect(refused).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("no session ses_none") });
});
