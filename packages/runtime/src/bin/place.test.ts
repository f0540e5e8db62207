import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { startPostgres } from "../../../../test/support/postgres.ts";
import { startRedis } from "../../../../test/support/redis.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { InMemoryWorkQueue } from "../in-memory/index.ts";
import { PostgresSessionLog } from "../postgres/index.ts";
import { RedisSessionLog } from "../redis/index.ts";
import { Runtime } from "../runtime.ts";
import type { SessionLog } from "../session-log.ts";
import { commandLine } from "./command-line.ts";
import { placeOf } from "./place.ts";

async function ashlar(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const code = await commandLine(words, { environment, out: say, error: say });
  return { code, said: said.join("\n") };
}

/** A session of the log, as `ashlar sessions show` finds it. */
async function shown(
  log: SessionLog,
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<void> {
  const runtime = new Runtime({ log, queue: new InMemoryWorkQueue(), agents: [{ name: "a", run: async () => {} }] });
  const { id } = await runtime.sessions.open({ principal: { tenant: "default" } }, { agent: "a" });
  const { said } = await ashlar(["sessions", "show", id, "--json", ...args], environment);
  expect(JSON.parse(said)).toMatchObject({ id, agent: "a" });
}

test("a place that is given counts over the environment; two are a question", () => {
  const environment = { REDIS_URL: "redis://there", POSTGRES_URL: "postgres://there" };
  expect(placeOf({ data: "file" }, environment)).toEqual({ data: "file" });
  expect(placeOf({}, environment)).toEqual({ redis: "redis://there" });
  expect(placeOf({}, { POSTGRES_URL: "postgres://there" })).toEqual({ postgres: "postgres://there" });
  expect(() => placeOf({ data: "file", redis: "redis://there" }, {})).toThrow(/Which one\?/);
  expect(() => placeOf({}, {})).toThrow(/Give one of/);
});

test("a server that does not answer is one sentence without the address", async () => {
  const ended = await ashlar(["sessions", "ls", "--redis", "redis://:secret@127.0.0.1:1"]);
  expect(ended).toMatchObject({ code: 1, said: expect.stringMatching(/^Redis does not answer/) });
  expect(ended.said).not.toContain("secret");
});

describeWith([parts.redis], "ashlar on Redis", () => {
  test("the command line finds the sessions at the address", async () => {
    const server = await startRedis();
    const client = new Redis(server.path);
    try {
      await shown(new RedisSessionLog({ client }), ["--redis", server.path]);
    } finally {
      client.disconnect();
      await server.stop();
    }
  });
});

describeWith([parts.postgres], "ashlar on PostgreSQL", () => {
  test("the command line finds the sessions at the address of the environment", async () => {
    const server = await startPostgres();
    const pool = await server.pool("public");
    try {
      const address = `postgres://${server.user}@/postgres?host=${encodeURIComponent(server.host)}`;
      await shown(new PostgresSessionLog({ pool }), [], { POSTGRES_URL: address });
    } finally {
      await pool.end();
      await server.stop();
    }
  });
});
