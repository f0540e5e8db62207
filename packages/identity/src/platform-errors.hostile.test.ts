import { inspect } from "node:util";
import { expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { alice, HOST, installation } from "./fixtures/installation.ts";
import { parseUrl } from "./internal/hosts.ts";
import { parseJson } from "./internal/parse.ts";
import { LeakGuard } from "./leak-guard.ts";
import { findSecret } from "./testing/canary.ts";

const CANARY = "canary-one";

/** All that a log would show of what was thrown, without the lines of code that its stack quotes. */
async function thrown(body: () => unknown): Promise<string> {
  try {
    await body();
  } catch (error) {
    return inspect(error, { depth: 9, showHidden: true }).replace(/^\s+at .*$/gm, "");
  }
  return expect.fail("nothing was thrown");
}

hostile("the error of JSON.parse quotes the text that it was given", {
  control: "it carries the planted secret",
  unguarded: async () => expect(await thrown(() => JSON.parse(CANARY))).toContain(CANARY),
  guarded: async () => expect(await thrown(() => parseJson(CANARY, "It"))).not.toContain(CANARY),
});

hostile("the error of URL quotes the text that it was given", {
  control: "it carries the planted secret",
  unguarded: async () => expect(await thrown(() => new URL(CANARY))).toContain(CANARY),
  async guarded() {
    expect(await thrown(() => parseUrl(CANARY))).not.toContain(CANARY);
    const { injector, vault } = installation();
    await vault.add(alice, { reference: "api", hosts: [HOST], secret: { kind: "bearer", token: CANARY } });
    for (const url of [CANARY, `https://${CANARY}:x@${HOST}/`, `ftp://${HOST}/${CANARY}`]) {
      const request = { method: "GET", url, headers: {} };
      expect(await thrown(() => injector.inject(alice, "api", request)), url).not.toContain(CANARY);
    }
  },
});

hostile("RegExp keeps the text that was last matched, for all code of the process to read", {
  control: "after a plain test of its characters, it shows the planted secret",
  unguarded() {
    expect(/^[\x20-\x7e]+$/.test(CANARY)).toBe(true);
    expect(lastMatch()).toContain(CANARY);
  },
  async guarded() {
    const { injector, vault } = installation();
    const kept: string[] = [];
    for (const secret of [
      { kind: "bearer", token: CANARY },
      { kind: "api_key", key: CANARY, in: "header", name: "x-key" },
      { kind: "basic", username: "me", password: CANARY },
    ] as const) {
      await vault.add(alice, { reference: secret.kind, hosts: [HOST], secret });
      kept.push(lastMatch());
      await injector.inject(alice, secret.kind, { method: "GET", url: `https://${HOST}/`, headers: {} });
      kept.push(lastMatch());
    }
    expect(kept).toHaveLength(6);
    for (const text of kept) expect(findSecret(text, CANARY)).toEqual([]);
  },
});

const lastMatch = (): string => ["$_", "$&", "$1"].map((name) => Reflect.get(RegExp, name)).join("\n");

hostile("the error of Headers quotes the value that it refuses", {
  control: "it carries the planted secret",
  unguarded: async () => expect(await thrown(() => new Headers({ a: `${CANARY}\n\u0000` }))).toContain(CANARY),
  async guarded() {
    const value = `${CANARY}\nx`;
    const { injector, vault } = installation();
    const surfaces = [{ in: "header", name: "x-key" }] as const;
    const secret = { kind: "environment", name: "KEY", value } as const;
    await vault.add(alice, { reference: "api", hosts: [HOST], surfaces, secret });
    const request = { method: "GET", url: `https://${HOST}/`, headers: {} };
    expect(await thrown(() => injector.inject(alice, "api", request))).toContain("another surface");
    expect(await thrown(() => injector.inject(alice, "api", request))).not.toContain(CANARY);
    const error = await Promise.resolve()
      .then(() => new Headers({ a: `${value}\u0000` }))
      .catch((platform: unknown) => platform);
    expect(findSecret(inspect(new LeakGuard([value]).redact(error), { showHidden: true }), CANARY)).toEqual([]);
  },
});
