import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PrivateRedis, startRedis } from "../../../test/support/redis.ts";
import { describeWith, parts } from "../../../test/support/system-part.ts";
import { AwsKmsWrapper } from "./aws-kms.ts";
import { InMemoryAuditStore, InMemoryIdentityStore } from "./in-memory/index.ts";
import { createKeyFile, KeyFileWrapper } from "./key-file.ts";
import type { KeyWrapper } from "./key-wrapper.ts";
import { PassphraseWrapper } from "./passphrase.ts";
import { RedisAuditStore, RedisIdentityStore } from "./redis/index.ts";
import { SqliteAuditStore, SqliteIdentityStore } from "./sqlite/index.ts";
import { auditStoreConformance, identityStoreConformance, keyWrapperConformance } from "./testing/index.ts";
import { VaultTransitWrapper } from "./vault-transit.ts";

describe("in memory", () => {
  identityStoreConformance({ test, createStore: ({ clock }) => new InMemoryIdentityStore({ clock }) });
  auditStoreConformance({ test, createStore: () => new InMemoryAuditStore() });
});

describe("sqlite", () => {
  const database = () => new Database(":memory:");
  identityStoreConformance({
    test,
    createStore: ({ clock }) => new SqliteIdentityStore({ database: database(), clock }),
  });
  auditStoreConformance({ test, createStore: () => new SqliteAuditStore({ database: database() }) });
});

describeWith([parts.redis], "redis", () => {
  let server: PrivateRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.path);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  let count = 0;
  const prefix = () => `t${++count}:`;
  identityStoreConformance({
    test,
    createStore: ({ clock }) => new RedisIdentityStore({ redis, clock, prefix: prefix() }),
  });
  auditStoreConformance({ test, createStore: () => new RedisAuditStore({ redis, prefix: prefix() }) });
});

describe("key file", () => {
  keyWrapperConformance({
    test,
    async createWrappers() {
      const folder = await mkdtemp(join(tmpdir(), "ashlar-keys-"));
      const make = async (name: string): Promise<KeyWrapper> => {
        const path = join(folder, name);
        await createKeyFile(path);
        return new KeyFileWrapper({ path });
      };
      return [await make("a"), await make("b")];
    },
  });
});

describe("passphrase", () => {
  const wrapper = (passphrase: string) => new PassphraseWrapper({ passphrase });
  keyWrapperConformance({
    test,
    createWrappers: async () => [wrapper("correct horse battery"), wrapper("incorrect horse battery")],
  });
});

/** Answers in the shapes that AWS documents; no AWS was asked. */
describe("aws kms, recorded shapes", () => {
  const kms = () => {
    const kept = new Map<string, { plain: Uint8Array; context: string }>();
    return {
      async encrypt({ Plaintext, EncryptionContext }: { Plaintext: Uint8Array; EncryptionContext: object }) {
        const CiphertextBlob = randomBytes(64);
        kept.set(CiphertextBlob.toString("hex"), { plain: Plaintext, context: JSON.stringify(EncryptionContext) });
        return { CiphertextBlob };
      },
      async decrypt({ CiphertextBlob, EncryptionContext }: { CiphertextBlob: Uint8Array; EncryptionContext: object }) {
        const found = kept.get(Buffer.from(CiphertextBlob).toString("hex"));
        if (found?.context === JSON.stringify(EncryptionContext)) return { Plaintext: found.plain };
        throw Object.assign(new Error("refused"), { name: "InvalidCiphertextException" });
      },
    };
  };
  keyWrapperConformance({
    test,
    createWrappers: async () => [
      new AwsKmsWrapper({ kms: kms(), keyId: "alias/a" }),
      new AwsKmsWrapper({ kms: kms(), keyId: "alias/b" }),
    ],
  });
});

/** A server that answers in the shapes that Vault documents; no Vault was asked. */
describe("vault transit, recorded shapes", () => {
  const kept = new Map<string, { plaintext: string; data: string }>();
  const server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString());
    const [, key] = /\/v1\/transit\/(?:en|de)crypt\/(.+)/.exec(request.url ?? "") ?? [];
    if (request.headers["x-vault-token"] !== "hvs.token") return response.writeHead(403).end('{"errors":["denied"]}');
    if (request.url?.includes("/encrypt/")) {
      const ciphertext = `vault:v1:${randomBytes(48).toString("base64")}`;
      kept.set(`${key} ${ciphertext}`, { plaintext: body.plaintext, data: body.associated_data });
      return response.end(JSON.stringify({ data: { ciphertext, key_version: 1 } }));
    }
    const found = kept.get(`${key} ${body.ciphertext}`);
    if (found?.data !== body.associated_data) return response.writeHead(400).end('{"errors":["invalid ciphertext"]}');
    return response.end(JSON.stringify({ data: { plaintext: found?.plaintext } }));
  });
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => {
    server.close();
  });
  const wrapper = (key: string, token = "hvs.token") => {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return new VaultTransitWrapper({ address, key, token: () => token });
  };
  keyWrapperConformance({ test, createWrappers: async () => [wrapper("a"), wrapper("b")] });

  test("a refused token is an error that may be tried again and holds no token", async () => {
    const error = await wrapper("a", "hvs.another")
      .wrap("t", randomBytes(32))
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "IDENTITY_KEY_UNAVAILABLE", retryable: true });
    expect(String((error as Error).stack)).not.toContain("hvs.another");
  });
});

describe("planted faults", () => {
  const failing = async (store: () => InMemoryIdentityStore): Promise<string[]> => {
    const cases: [string, () => Promise<void>][] = [];
    identityStoreConformance({ test: (name, body) => cases.push([name, body]), createStore: store });
    const failed: string[] = [];
    for (const [name, body] of cases) await body().catch(() => failed.push(name));
    return failed;
  };

  test("an ignored expiry, a lost update and a shared tenant are each caught by name", async () => {
    class LostUpdate extends InMemoryIdentityStore {
      override async put(...[tenant, kind, id, write]: Parameters<InMemoryIdentityStore["put"]>) {
        const found = await this.get(tenant, kind, id);
        return super.put(tenant, kind, id, { ...write, expected: found?.version ?? 0 });
      }
    }
    class SharedTenant extends InMemoryIdentityStore {
      override get(...[, kind, id]: Parameters<InMemoryIdentityStore["get"]>) {
        return super.get("a", kind, id);
      }
    }
    expect(await failing(() => new LostUpdate())).toContain("of writers that read the same version one succeeds");
    expect(await failing(() => new SharedTenant())).toContain("tenants, kinds and ids that look alike are apart");
    expect(await failing(() => new InMemoryIdentityStore())).toContain(
      "a record is absent from the instant it expires, and may be written anew",
    );
  });
});
