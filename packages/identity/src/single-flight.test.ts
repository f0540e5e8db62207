import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Container } from "inversify";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PrivateRedis, startRedis } from "../../../test/support/redis.ts";
import { describeWith, parts } from "../../../test/support/system-part.ts";
import type { Clock } from "./dialect.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, calendar, movableClock } from "./fixtures/installation.ts";
import { consent } from "./fixtures/windowless-browser.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import {
  AUDIT_LOG,
  CLOCK,
  IDENTITY_DATABASE,
  IDENTITY_FETCH,
  IDENTITY_OPTIONS,
  IDENTITY_REDIS,
  INJECTOR,
  identityModule,
  KEY_WRAPPER,
  OAUTH_FLOWS,
  oauthModule,
  redisIdentityModule,
  sqliteIdentityModule,
  VAULT,
} from "./inversify/index.ts";
import type { KeyWrapper } from "./key-wrapper.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";

const fetch = guardedFetch({ allow: ["127.0.0.1"] });
let provider: IdentityProvider;
beforeAll(async () => {
  provider = await startIdentityProvider();
});
afterAll(() => provider.close());

/** An installation of its own on a shared backend, as another process would have it: nothing but the store is shared. */
async function instance(clock: Clock, wrapper: KeyWrapper, backend: (container: Container) => void) {
  const container = new Container();
  container.bind(KEY_WRAPPER).toConstantValue(wrapper);
  container.bind(CLOCK).toConstantValue(clock);
  container.bind(IDENTITY_OPTIONS).toConstantValue({ issuer: "https://me", audience: "api" });
  container.bind(IDENTITY_FETCH).toConstantValue(fetch);
  backend(container);
  container.load(identityModule(), oauthModule());
  return container;
}

async function oneRefresh(backends: readonly ((container: Container) => void)[]): Promise<void> {
  const clock = movableClock();
  const wrapper = ephemeralWrapper();
  const instances = await Promise.all(backends.map((backend) => instance(clock, wrapper, backend)));
  const [first] = instances;
  if (first === undefined) throw new Error("There is no instance.");
  await first.get(VAULT).add(alice, calendar(provider.issuer));
  const flows = first.get(OAUTH_FLOWS);
  await flows.finish(alice, await consent((await flows.start(alice, "calendar")).url));
  const call = async (container: Container) => {
    const request = { method: "GET", url: "https://api.example.com/", headers: {} };
    return (await container.get(INJECTOR).inject(alice, "calendar", request)).request.headers.authorization;
  };
  for (let round = 0; round < 2; round++) {
    clock.ahead += 60_000;
    const before = provider.served.length;
    const calls = Array.from({ length: 100 }, (_, index) => call(instances[index % instances.length] ?? first));
    expect(new Set(await Promise.all(calls)).size).toBe(1);
    expect(provider.served.slice(before)).toEqual(["refresh_token"]);
  }
  expect(await first.get(AUDIT_LOG).verify(alice)).toMatchObject({ intact: true });
}

describe("sqlite", () => {
  test("100 calls over two instances with an ended token make one refresh", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "ashlar-identity-")), "identity.db");
    const open = () => {
      const database = new Database(path);
      database.pragma("journal_mode = WAL");
      return database;
    };
    const databases = [open(), open()];
    await oneRefresh(
      databases.map((database) => (container) => {
        container.bind(IDENTITY_DATABASE).toConstantValue(database);
        container.load(sqliteIdentityModule());
      }),
    );
    for (const database of databases) database.close();
  });
});

describeWith([parts.redis], "redis", () => {
  let server: PrivateRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  test("100 calls over two instances with an ended token make one refresh", async () => {
    const clients = [new Redis(server.path), new Redis(server.path)];
    await oneRefresh(
      clients.map((redis) => (container) => {
        container.bind(IDENTITY_REDIS).toConstantValue(redis);
        container.load(redisIdentityModule());
      }),
    );
    for (const redis of clients) redis.disconnect();
  });
});
