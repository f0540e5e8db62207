import type { Json } from "../dialect.ts";
import type { DueSession } from "../session-log.ts";
import type { Connection } from "./connection.ts";
import { due } from "./log-scripts.ts";
import type { Partition } from "./partitions.ts";

type Place = Pick<DueSession, "wakeAt" | "session">;

export const dueBefore = (a: Place, b: Place): boolean =>
  a.wakeAt < b.wakeAt || (a.wakeAt === b.wakeAt && a.session < b.session);

/** The due sessions of one partition in order, read as far as they are asked for. */
export async function* dueIn(
  connection: Connection,
  { wake, leases, session }: Partition,
  now: number | string,
  after: Place | undefined,
  pageSize: number,
): AsyncGenerator<DueSession> {
  for (let from = after; ; ) {
    const args = [now, pageSize, from?.wakeAt ?? "", from?.session ?? "", session("").record];
    const page = dueOf((await connection.run(due, [wake, leases], args)) as string[]);
    yield* page;
    if (page.length < pageSize) return;
    from = page.at(-1);
  }
}

function dueOf(flat: readonly string[]): DueSession[] {
  const found: DueSession[] = [];
  for (let at = 0; at < flat.length; at += 5) {
    const [session = "", tenant = "", agent = "", wakeAt, state = "null"] = flat.slice(at, at + 5);
    found.push({ session, tenant, agent, wakeAt: Number(wakeAt), state: JSON.parse(state) as Json });
  }
  return found;
}
