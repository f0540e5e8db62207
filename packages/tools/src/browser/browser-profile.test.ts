import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, hash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import type { CallContext } from "../dialect.ts";
import { Browsing, context } from "./fixtures/browsing.ts";
import { type Site, startSite } from "./fixtures/site.ts";
import { FolderProfiles, type Sealer } from "./index.ts";

/** AES-256-GCM under a key of the tenant and purpose: what a keyring does, in small. */
const master = randomBytes(32);
const keyOf = ({ principal }: CallContext, purpose: string): Buffer =>
  hash("sha256", Buffer.concat([master, Buffer.from(JSON.stringify([principal.tenant, purpose]))]), "buffer");
const sealer: Sealer = {
  async seal(caller, plain, purpose) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", keyOf(caller, purpose), nonce);
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  },
  async open(caller, sealed, purpose) {
    const decipher = createDecipheriv("aes-256-gcm", keyOf(caller, purpose), sealed.subarray(0, 12));
    decipher.setAuthTag(sealed.subarray(-16));
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
  },
};

const PAGE = `<script>
  document.title = "storage " + localStorage.getItem("who") + ", cookie " + (document.cookie || "none");
  localStorage.setItem("who", "stored-secret");
  document.cookie = "seen=1; max-age=1000";
</script>`;

describeWith([parts.bubblewrap, parts.chromium, parts.headlessShell], "profiles of browsers", () => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-profiles-"));
  const profiles = new FolderProfiles({ folder });
  let site: Site;
  let browsing: Browsing;
  const visit = async (
    as: CallContext,
    profile: string,
    program: "chromium" | "headless-shell" = "headless-shell",
  ): Promise<string> => {
    const spec = { program, profile, network: { mode: "allow", hosts: [site.host] } } as const;
    await using session = await browsing.browsers.open(as, spec);
    await session.navigate(site.origin);
    return session.list()[0]?.title ?? "";
  };

  beforeAll(async () => {
    site = await startSite({
      "/": (_, response) =>
        response
          .writeHead(200, { "content-type": "text/html", "set-cookie": "sid=cookie-secret; HttpOnly; Max-Age=1000" })
          .end(PAGE),
    });
    browsing = new Browsing({ egress: { allowPrivate: [site.host] }, profiles, sealer });
  }, 120_000);
  afterAll(async () => {
    await browsing[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test("cookies and local storage are there the next time, and in either program", async () => {
    assert.equal(await visit(context, "shop"), "storage null, cookie none");
    assert.equal(await visit(context, "shop"), "storage stored-secret, cookie seen=1");
    assert.equal(await visit(context, "shop", "chromium"), "storage stored-secret, cookie seen=1");
  });

  hostile("whoever can read the disk reads a browser's profile", {
    control: "opened by its sealer, the file holds the cookie and what was stored",
    async unguarded() {
      const plain = Buffer.from(
        await sealer.open(context, (await profiles.load(context, "shop")) ?? assert.fail(), "browser-profile:shop"),
      );
      for (const secret of ["cookie-secret", "stored-secret"]) assert.ok(plain.includes(secret));
    },
    async guarded() {
      const [name = "", ...others] = readdirSync(folder);
      assert.deepEqual(others, []);
      assert.doesNotMatch(name, /shop|acme/);
      const sealed = readFileSync(join(folder, name));
      for (const secret of ["cookie-secret", "stored-secret", "127.0.0.1"]) assert.ok(!sealed.includes(secret));
      // Not under another tenant's name, not as another profile, not changed.
      assert.equal(await visit({ principal: { tenant: "other" } }, "shop"), "storage null, cookie none");
      await profiles.save(context, "bank", sealed);
      await assert.rejects(visit(context, "bank"));
      sealed[40] = (sealed[40] ?? 0) ^ 1;
      writeFileSync(join(folder, name), sealed);
      await assert.rejects(visit(context, "shop"));
    },
  });

  test("a profile is never kept in the clear, and what is none is refused before a browser starts", async () => {
    await using open = new Browsing({ profiles });
    await assert.rejects(open.open({ profile: "shop" }), { code: "TOOLS_INVALID" });
    await profiles.save(context, "odd", await sealer.seal(context, Buffer.from("{}"), "browser-profile:odd"));
    await assert.rejects(visit(context, "odd"), /cannot be read/);
  });
});
