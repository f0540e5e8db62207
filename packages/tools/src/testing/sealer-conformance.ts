import assert from "node:assert/strict";
import type { Sealer } from "../browser/sealer.ts";
import type { CallContext } from "../dialect.ts";
import type { TestFunction } from "./suite.ts";

export interface SealerConformanceOptions {
  readonly test: TestFunction;
  create(): Promise<{
    readonly sealer: Sealer;
    readonly context: CallContext;
    /** Of another tenant. */
    readonly stranger: CallContext;
  }>;
}

const plain = new TextEncoder().encode("a cookie that nobody else may read");

/** The law of `Sealer`. */
export function sealerConformance({ test, create }: SealerConformanceOptions): void {
  test("Sealer: what is sealed opens again, and shows nothing of itself", async () => {
    const { sealer, context } = await create();
    const sealed = await sealer.seal(context, plain, "browser-profile");
    assert.deepEqual(Buffer.from(await sealer.open(context, sealed, "browser-profile")), Buffer.from(plain));
    assert.ok(!Buffer.from(sealed).includes("cookie"), "the sealed bytes show the text");
    const again = await sealer.seal(context, plain, "browser-profile");
    assert.notDeepEqual(Buffer.from(again), Buffer.from(sealed), "the same text seals to the same bytes");
  });

  test("Sealer: it opens for the same tenant and purpose only, and only as it was", async () => {
    const { sealer, context, stranger } = await create();
    const sealed = await sealer.seal(context, plain, "browser-profile");
    const changed = Uint8Array.from(sealed, (byte, index) => (index === sealed.length - 1 ? byte ^ 1 : byte));
    await assert.rejects(sealer.open(stranger, sealed, "browser-profile"));
    await assert.rejects(sealer.open(context, sealed, "another-purpose"));
    await assert.rejects(sealer.open(context, changed, "browser-profile"));
    await assert.rejects(sealer.open(context, sealed.subarray(0, sealed.length >> 1), "browser-profile"));
  });
}
