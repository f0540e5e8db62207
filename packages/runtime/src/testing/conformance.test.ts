import { expect, test } from "vitest";
import {
  InMemoryBlobStore,
  InMemoryCatalog,
  InMemoryLiveBus,
  InMemorySessionLog,
  InMemoryWorkQueue,
} from "../in-memory/index.ts";
import type { TestFunction } from "./index.ts";
import {
  blobStoreConformance,
  catalogConformance,
  liveBusConformance,
  sessionLogConformance,
  workQueueConformance,
} from "./index.ts";

/** Names of the laws that a broken adapter fails. */
async function failures(suite: (test: TestFunction) => void): Promise<readonly string[]> {
  const laws: [string, () => Promise<void>][] = [];
  suite((name, body) => laws.push([name, body]));
  const failed: string[] = [];
  for (const [name, body] of laws) await body().catch(() => failed.push(name));
  return failed;
}

type Log = InMemorySessionLog;

const logs: readonly (readonly [fault: string, law: RegExp, broken: typeof InMemorySessionLog])[] = [
  [
    "an old fence is let through",
    /only the newest claim writes/,
    class extends InMemorySessionLog {
      override async append(...[context, session, , events, change]: Parameters<Log["append"]>) {
        const { fence = "" } = (await this.get(context, session)) ?? {};
        return super.append(context, session, fence, events, change);
      }
    },
  ],
  [
    "a release does not end the claim",
    /a released claim no longer writes/,
    class extends InMemorySessionLog {
      override async append(...[context, session, fence, events, change]: Parameters<Log["append"]>) {
        try {
          return await super.append(context, session, fence, events, change);
        } catch (error) {
          if ((await this.get(context, session))?.fence !== fence) throw error;
          const claim = await this.claim(context, session, { owner: "anyone" });
          return super.append(context, session, claim?.fence ?? "", events, change);
        }
      }
    },
  ],
  [
    "a live owner's session is taken",
    /hands of a live owner/,
    class extends InMemorySessionLog {
      override async claim(...[context, session, options]: Parameters<Log["claim"]>) {
        const { fence } = (await this.get(context, session)) ?? {};
        return super.claim(
          context,
          session,
          fence === undefined ? options : { ...options, from: options.from ?? fence },
        );
      }
    },
  ],
  [
    "idempotency keys are forgotten",
    /idempotency key is written once/,
    class extends InMemorySessionLog {
      override async append(...[context, session, fence, events, change]: Parameters<Log["append"]>) {
        const unkeyed = events.map(({ idempotencyKey: _, ...event }) => event);
        return super.append(context, session, fence, unkeyed, change);
      }
    },
  ],
  [
    "tenants are not told apart",
    /another tenant sees nothing/,
    class extends InMemorySessionLog {
      override async read(...[, session, options]: Parameters<Log["read"]>) {
        return super.read({ principal: { tenant: "acme" } }, session, options);
      }
    },
  ],
  [
    "a wake-up falls between the last look and the release",
    /past an input that was not seen/,
    class extends InMemorySessionLog {
      override async release(...[context, session, fence, options]: Parameters<Log["release"]>) {
        return super.release(context, session, fence, { ...options, seen: Number.MAX_SAFE_INTEGER });
      }
    },
  ],
  [
    "an append forgets its release",
    /an append that releases/,
    class extends InMemorySessionLog {
      override async append(
        ...[context, session, fence, events, { release: _, ...change } = {}]: Parameters<Log["append"]>
      ) {
        return super.append(context, session, fence, events, change);
      }
    },
  ],
  [
    "an input does not wake",
    /wakes an idle session/,
    class extends InMemorySessionLog {
      override async deposit(...[context, session, event]: Parameters<Log["deposit"]>) {
        return super.deposit(context, session, event, { wake: false });
      }
    },
  ],
  [
    "the change is left out",
    /a change goes with its events/,
    class extends InMemorySessionLog {
      override async append(...[context, session, fence, events]: Parameters<Log["append"]>) {
        return super.append(context, session, fence, events);
      }
    },
  ],
  [
    "a read starts one event too late",
    /reads page on from any seq/,
    class extends InMemorySessionLog {
      override async read(...[context, session, { after = 0, ...options } = {}]: Parameters<Log["read"]>) {
        return super.read(context, session, { ...options, after: after === 0 ? 0 : after + 1 });
      }
    },
  ],
  [
    "sessions are due while their owner lives",
    /expiring an owner frees/,
    class extends InMemorySessionLog {
      override async renew(): Promise<void> {}
    },
  ],
  [
    "the sweep starts from the beginning every time",
    /page by page/,
    class extends InMemorySessionLog {
      override async due({ limit }: Parameters<Log["due"]>[0]) {
        return super.due({ limit });
      }
    },
  ],
];

test.each(logs)("a session log: %s", async (_, law, Broken) => {
  const failed = await failures((test) => sessionLogConformance({ test, createLog: (deps) => new Broken(deps) }));
  expect(failed.filter((name) => law.test(name))).toHaveLength(1);
});

type Queue = InMemoryWorkQueue;

const queues: readonly (readonly [fault: string, law: RegExp, broken: typeof InMemoryWorkQueue])[] = [
  [
    "limits are ignored",
    /a concurrency limit holds over lanes/,
    class extends InMemoryWorkQueue {
      override async take(...[lane, options]: Parameters<Queue["take"]>) {
        return super.take(lane, { ...options, concurrency: [] });
      }
    },
  ],
  [
    "rates are ignored",
    /a rate lets a burst through/,
    class extends InMemoryWorkQueue {
      override async take(...[lane, options]: Parameters<Queue["take"]>) {
        return super.take(lane, { ...options, rates: [] });
      }
    },
  ],
  [
    "a put during work is lost",
    /while the session is in work is kept/,
    class extends InMemoryWorkQueue {
      override async finish(...[job]: Parameters<Queue["finish"]>) {
        await super.finish(job);
        await this.remove(job.session);
      }
    },
  ],
  [
    "a delay is forgotten",
    /not given before its time/,
    class extends InMemoryWorkQueue {
      override async put(...[jobs]: Parameters<Queue["put"]>) {
        return super.put(jobs.map((job) => ({ ...job, availableAt: 0 })));
      }
    },
  ],
  [
    "labels do not make a lane",
    /lanes do not mix/,
    class extends InMemoryWorkQueue {
      override async put(...[jobs]: Parameters<Queue["put"]>) {
        return super.put(jobs.map((job) => ({ ...job, lane: { ...job.lane, requires: [] } })));
      }
    },
  ],
  [
    "jobs of a dead owner stay with it",
    /whose lease ends wait again/,
    class extends InMemoryWorkQueue {
      override async renew(...[owner]: Parameters<Queue["renew"]>) {
        return super.renew(owner, Number.MAX_SAFE_INTEGER);
      }
    },
  ],
  [
    "a late finish frees another's job",
    /its late finish changes nothing/,
    class extends InMemoryWorkQueue {
      readonly #latest = new Map<string, string>();
      override async take(...[lane, options]: Parameters<Queue["take"]>) {
        const taken = await super.take(lane, options);
        for (const { session, token } of taken.jobs) this.#latest.set(session, token);
        return taken;
      }
      override async finish(...[job]: Parameters<Queue["finish"]>) {
        return super.finish({ ...job, token: this.#latest.get(job.session) ?? job.token });
      }
    },
  ],
  [
    "an owner that is as good as dead is given jobs",
    /without a lease in force/,
    class extends InMemoryWorkQueue {
      override async take(...[lane, options]: Parameters<Queue["take"]>) {
        await this.renew(options.owner, 1_000);
        return super.take(lane, options);
      }
    },
  ],
];

test.each(queues)("a work queue: %s", async (_, law, Broken) => {
  const failed = await failures((test) => workQueueConformance({ test, createQueue: (deps) => new Broken(deps) }));
  expect(failed.filter((name) => law.test(name))).toHaveLength(1);
});

type Documents = InMemoryCatalog;

const catalogs: readonly (readonly [fault: string, law: RegExp, broken: typeof InMemoryCatalog])[] = [
  [
    "the expected version is not looked at",
    /another expected version/,
    class extends InMemoryCatalog {
      override async put(
        ...[context, kind, name, body, { expected: _, ...options } = {}]: Parameters<Documents["put"]>
      ) {
        return super.put(context, kind, name, body, options);
      }
    },
  ],
  [
    "kinds and names are joined with a delimiter",
    /do not meet/,
    class extends InMemoryCatalog {
      override async put(...[context, kind, name, body, options]: Parameters<Documents["put"]>) {
        return super.put(context, "all", `${kind}:${name}`, body, options);
      }
      override async get(...[context, kind, name, version]: Parameters<Documents["get"]>) {
        return super.get(context, "all", `${kind}:${name}`, version);
      }
    },
  ],
  [
    "old versions are kept against the wish",
    /without history/,
    class extends InMemoryCatalog {
      override async put(...[context, kind, name, body, options]: Parameters<Documents["put"]>) {
        return super.put(context, kind, name, body, { ...options, history: true });
      }
    },
  ],
];

test.each(catalogs)("a catalog: %s", async (_, law, Broken) => {
  const failed = await failures((test) => catalogConformance({ test, createCatalog: () => new Broken() }));
  expect(failed.filter((name) => law.test(name))).toHaveLength(1);
});

test("a live bus that crosses tenants is caught", async () => {
  class Broken extends InMemoryLiveBus {
    override publish(...[, session, message]: Parameters<InMemoryLiveBus["publish"]>) {
      return super.publish({ principal: { tenant: "" } }, session, message);
    }
    override subscribe(...[, session, listener]: Parameters<InMemoryLiveBus["subscribe"]>) {
      return super.subscribe({ principal: { tenant: "" } }, session, listener);
    }
  }
  const failed = await failures((test) => liveBusConformance({ test, createBus: () => new Broken() }));
  expect(failed.filter((name) => /and no others/.test(name))).toHaveLength(1);
});

test("a blob store that crosses tenants, and one that a cut-off put empties, are caught", async () => {
  class Crossing extends InMemoryBlobStore {
    override get(...[, key]: Parameters<InMemoryBlobStore["get"]>) {
      return super.get({ principal: { tenant: "acme" } }, key);
    }
  }
  class Emptied extends InMemoryBlobStore {
    override async put(...[context, key, body, mediaType]: Parameters<InMemoryBlobStore["put"]>) {
      await this.delete(context, key);
      return super.put(context, key, body, mediaType);
    }
  }
  const crossing = await failures((test) => blobStoreConformance({ test, createStore: () => new Crossing() }));
  expect(crossing.filter((name) => /apart by tenant/.test(name))).toHaveLength(1);
  const emptied = await failures((test) => blobStoreConformance({ test, createStore: () => new Emptied() }));
  expect(emptied.filter((name) => /leaves the old body/.test(name))).toHaveLength(1);
});
