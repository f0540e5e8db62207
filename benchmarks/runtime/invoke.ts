import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Runtime } from "@ashlar/runtime";
import { SqliteSessionLog, SqliteWorkQueue } from "@ashlar/runtime/sqlite";
import Database from "better-sqlite3";
import { timeEach } from "../support/measure.ts";

const context = { principal: { tenant: "bench" } };

/** HTTP in, the agent's code, first byte out, on an open session: milliseconds of each of `runs`. */
export async function warmInvoke(path: string, runs: number): Promise<readonly number[]> {
  const database = new Database(path);
  const runtime = new Runtime({
    log: new SqliteSessionLog({ database }),
    queue: new SqliteWorkQueue({ database }),
    agents: [{ name: "echo", run: async (session, input) => session.emit("reply", input.body) }],
  });
  await runtime.start();
  const { id } = await runtime.sessions.open(context, { agent: "echo" });
  const server = createServer(async (_, response) => {
    const { seq } = await runtime.sessions.send(context, id, { type: "user.message", body: { text: "hello" } });
    for await (const event of runtime.sessions.events(context, id, { after: seq })) {
      if (event.type !== "reply") continue;
      response.end(JSON.stringify(event.body));
      return;
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const samples = await timeEach(runs, async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await response.text();
  });
  server.closeAllConnections();
  server.close();
  await runtime.close();
  database.close();
  return samples;
}

/** CPU and memory of `sessions` turns that wait for something for `seconds`. */
export async function activeCost(
  path: string,
  sessions: number,
  seconds: number,
): Promise<{ readonly cpuSecondsPerActiveHour: number; readonly mibPerActiveSession: number }> {
  const database = new Database(path);
  const gate = Promise.withResolvers<void>();
  let running = 0;
  const runtime = new Runtime({
    log: new SqliteSessionLog({ database }),
    queue: new SqliteWorkQueue({ database }),
    concurrency: sessions,
    agents: [
      {
        name: "waits",
        run: async (session) =>
          session.step("wait", async () => {
            running += 1;
            await gate.promise;
            return null;
          }),
      },
    ],
  });
  const ids: string[] = [];
  for (let index = 0; index < sessions; index++) {
    ids.push((await runtime.sessions.open(context, { agent: "waits" })).id);
  }
  global.gc?.();
  const before = process.memoryUsage.rss();
  await runtime.start();
  for (const id of ids) await runtime.sessions.send(context, id, { type: "user.message", body: {} });
  while (running < sessions) await new Promise((resolve) => setTimeout(resolve, 10));
  const memory = process.memoryUsage.rss() - before;
  const cpu = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { user, system } = process.cpuUsage(cpu);
  gate.resolve();
  await runtime.close();
  database.close();
  return {
    cpuSecondsPerActiveHour: (((user + system) / 1e6) * 3600) / (sessions * seconds),
    mibPerActiveSession: Math.max(0, memory) / 2 ** 20 / sessions,
  };
}
