import { spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { Container } from "inversify";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PrivateRedis, startRedis } from "../../../test/support/redis.ts";
import { describeWith, parts } from "../../../test/support/system-part.ts";
import type { Clock } from "./dialect.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, calendar, installation, movableClock } from "./fixtures/installation.ts";
import { consent } from "./fixtures/windowless-browser.ts";
import { guardedFetch } from "./internal/guarded-fetch.ts";
import {
  AUDIT_LOG,
  CLOCK,
  IDENTITY_FETCH,
  IDENTITY_OPTIONS,
  IDENTITY_REDIS,
  INJECTOR,
  identityModule,
  KEY_WRAPPER,
  OAUTH_FLOWS,
  oauthModule,
  redisIdentityModule,
  VAULT,
} from "./inversify/index.ts";
import { createKeyFile, KeyFileWrapper } from "./key-file.ts";
import type { KeyWrapper } from "./key-wrapper.ts";
import { SqliteIdentityStore } from "./sqlite/index.ts";
import { ephemeralWrapper } from "./testing/ephemeral-wrapper.ts";

const caller = fileURLToPath(new URL("fixtures/parallel-calls.ts", import.meta.url));
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

test("sqlite: 100 calls over two processes with an ended token make one refresh", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ashlar-identity-"));
  const [path, key] = [join(folder, "identity.db"), join(folder, "key")];
  await createKeyFile(key);
  const clock = movableClock();
  const store = new SqliteIdentityStore({ database: new Database(path), clock });
  const mine = installation({ store, clock, wrapper: new KeyFileWrapper({ path: key }) });
  await mine.vault.add(alice, calendar(provider.issuer));
  await mine.agree(alice, "calendar");
  const before = provider.served.length;
  const processes = ["50", "50"].map((calls) => {
    const flags = ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning"];
    const { stdin, stdout } = spawn(process.execPath, [...flags, caller, path, key, "60000", calls]);
    return { stdin, lines: createInterface({ input: stdout })[Symbol.asyncIterator]() };
  });
  for (const { lines } of processes) expect((await lines.next()).value).toBe("ready");
  for (const { stdin } of processes) stdin.end("go");
  const answers = await Promise.all(processes.map(async ({ lines }) => JSON.parse(String((await lines.next()).value))));
  expect(answers.flat()).toHaveLength(100);
  expect(new Set(answers.flat()).size).toBe(1);
  expect(provider.served.slice(before)).toEqual(["refresh_token"]);
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
