import { createHash, createSecretKey, randomBytes } from "node:crypto";
import { expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { acme, HOST, sqliteVault } from "./fixtures/sqlite-vault.ts";
import { decrypt, encrypt } from "./internal/envelope.ts";

const NOTHING = Buffer.alloc(0);
const refused = { code: "IDENTITY_CIPHERTEXT_REFUSED" };

hostile("a ciphertext is moved to another row, in the database", {
  control: "sealed without additional data, it opens in the other row",
  unguarded() {
    const key = createSecretKey(randomBytes(32));
    const rows = new Map(["mine", "theirs"].map((id) => [id, encrypt(key, Buffer.from(id), NOTHING)]));
    rows.set("mine", rows.get("theirs") ?? NOTHING);
    expect(decrypt(key, rows.get("mine") ?? NOTHING, NOTHING).toString()).toBe("theirs");
  },
  async guarded() {
    const { vault, injector, request, bearer, database } = await sqliteVault();
    await vault.add(acme, bearer);
    await vault.add(acme, { ...bearer, reference: "second" });
    await expect(injector.inject(acme, "tickets", request)).resolves.toBeDefined();
    database.exec(
      `UPDATE identity_records SET body = (
         SELECT replace(body, 'second', 'tickets') FROM identity_records WHERE id LIKE '%second'
       ) WHERE id LIKE '%tickets'`,
    );
    await expect(injector.inject(acme, "tickets", request)).rejects.toMatchObject(refused);
  },
});

hostile("an older version's ciphertext is put back in place of the newest", {
  control: "sealed for the row but not for its version, the old value is served again",
  unguarded() {
    const key = createSecretKey(randomBytes(32));
    const row = Buffer.from("tickets");
    const versions = [encrypt(key, Buffer.from("leaked"), row), encrypt(key, Buffer.from("rotated"), row)];
    versions[1] = versions[0] ?? NOTHING;
    expect(decrypt(key, versions[1], row).toString()).toBe("leaked");
  },
  async guarded() {
    const { vault, injector, request, bearer, database } = await sqliteVault();
    await vault.add(acme, bearer);
    await vault.rotate(acme, "tickets", { kind: "bearer", token: "the-second-token" }, { graceMs: 1000 });
    database.exec(
      `UPDATE identity_records
       SET body = json_set(body, '$.versions[1].sealed', json_extract(body, '$.versions[0].sealed'))
       WHERE id LIKE '%tickets'`,
    );
    await expect(injector.inject(acme, "tickets", request)).rejects.toMatchObject(refused);
  },
});

hostile("the hosts of a row are changed in the database", {
  control: "hosts that stand beside the ciphertext and not under it are believed as they stand",
  unguarded() {
    const row = { hosts: [HOST] };
    row.hosts = ["evil.example"];
    expect(row.hosts.includes("evil.example")).toBe(true);
  },
  async guarded() {
    const { vault, injector, request, bearer, database } = await sqliteVault();
    await vault.add(acme, bearer);
    database.exec(
      `UPDATE identity_records SET body = replace(body, '${HOST}', 'evil.example') WHERE id LIKE '%tickets'`,
    );
    const url = "https://evil.example/";
    await expect(injector.inject(acme, "tickets", { ...request, url })).rejects.toMatchObject(refused);
  },
});

/** A log without a key: whoever can write it can also compute its hashes. */
function bareChain(rows: readonly string[]): readonly { readonly row: string; readonly hash: string }[] {
  let previous = "";
  return rows.map((row) => {
    previous = createHash("sha256")
      .update(previous + row)
      .digest("hex");
    return { row, hash: previous };
  });
}

const verifies = (chain: ReturnType<typeof bareChain>): boolean =>
  bareChain(chain.map(({ row }) => row)).every(({ hash }, at) => hash === chain[at]?.hash);

for (const [name, attack, seq, forge] of [
  [
    "is changed",
    "UPDATE identity_audit SET entry = replace(entry, 'deny', 'allow') WHERE seq = 2",
    2,
    (rows: string[]) => rows.map((row) => row.replace("deny", "allow")),
  ],
  [
    "is dropped from the middle",
    "DELETE FROM identity_audit WHERE seq = 2",
    2,
    (rows: string[]) => rows.toSpliced(1, 1),
  ],
  ["is cut off the end", "DELETE FROM identity_audit WHERE seq = 3", 3, (rows: string[]) => rows.slice(0, 2)],
] as const) {
  hostile(`an audit row ${name}`, {
    control: "a chain of bare hashes is computed anew by whoever writes the table, and verifies",
    unguarded() {
      const before = bareChain(["add", "deny", "inject"]);
      const after = bareChain(forge(before.map(({ row }) => row)));
      expect(after).not.toEqual(before);
      expect(verifies(after)).toBe(true);
    },
    async guarded() {
      const { vault, bearer, injector, request, audit, database } = await sqliteVault();
      await vault.add(acme, bearer);
      await injector.inject(acme, "tickets", { ...request, url: "https://evil.example/" }).catch(() => {});
      await injector.inject(acme, "tickets", request);
      const whole = await audit.verify(acme);
      expect(whole).toMatchObject({ intact: true, rows: 3 });
      const anchor = whole.intact ? whole.head : undefined;
      database.exec(attack);
      expect(await audit.verify(acme, anchor && { anchor }), attack).toMatchObject({ intact: false, seq });
    },
  });
}
