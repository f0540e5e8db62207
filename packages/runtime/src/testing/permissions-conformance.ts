import assert from "node:assert/strict";
import type { CallContext, Json } from "../dialect.ts";
import type { Permissions } from "../permissions.ts";
import type { TestFunction } from "./suite.ts";

interface Request {
  readonly action: string;
  readonly resource: string;
  readonly arguments?: Json;
}

export interface PermissionsConformance {
  readonly test: TestFunction;
  create(): Promise<{
    readonly permissions: Permissions;
    readonly context: CallContext;
    /** Requests that must be decided so for `context`; absent where these permissions never decide so. */
    readonly allowed: Request;
    readonly denied: Request;
    readonly asked?: Request;
    /** Of another tenant, for whom `allowed` is not allowed; absent when all tenants are alike here. */
    readonly stranger?: CallContext;
  }>;
}

/** The law of `Permissions`. */
export function permissionsConformance({ test, create }: PermissionsConformance): void {
  const law = (name: string, body: (parts: Awaited<ReturnType<typeof create>>) => Promise<void>) =>
    test(`permissions: ${name}`, async () => body(await create()));

  law("each effect is decided, with a reason for people", async ({ permissions, context, allowed, denied, asked }) => {
    for (const [effect, request] of Object.entries({ allow: allowed, deny: denied, ask: asked })) {
      if (request === undefined) continue;
      const decision = await permissions.decide(context, request);
      assert.equal(decision.effect, effect, `${request.action} on ${request.resource}`);
      assert.ok(decision.reason.length > 0, "there is no reason");
    }
  });

  law("what nobody has named is not allowed", async ({ permissions, context }) => {
    const request = { action: "action.nobody.named", resource: "resource:nobody-named" };
    assert.notEqual((await permissions.decide(context, request)).effect, "allow");
  });

  law("the tenant comes from the principal: a payload that names another changes nothing", async (parts) => {
    const { permissions, context, stranger, allowed, denied } = parts;
    const forged = { tenant: "admin", principal: { tenant: "admin" } };
    assert.equal((await permissions.decide(context, { ...denied, arguments: forged })).effect, "deny");
    if (stranger !== undefined) assert.notEqual((await permissions.decide(stranger, allowed)).effect, "allow");
  });

  law("the same request is decided alike, also many at once", async ({ permissions, context, allowed, denied }) => {
    const decisions = await Promise.all(
      Array.from({ length: 20 }, (_, index) => permissions.decide(context, index % 2 === 0 ? allowed : denied)),
    );
    assert.deepEqual(
      decisions.map(({ effect }) => effect),
      decisions.map((_, index) => (index % 2 === 0 ? "allow" : "deny")),
    );
  });
}
