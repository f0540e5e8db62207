import { expect, test } from "vitest";
import { functionsTarget, Gateway, InMemoryGatewayStore, StoredTargets, type TargetMaker } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const echo: TargetMaker = (name, definition) =>
  functionsTarget({
    name,
    tools: { say: { description: String(definition), inputSchema: { type: "object" }, run: async () => "" } },
  });

function gatewayOver(store: InMemoryGatewayStore) {
  const gateway = new Gateway({ authenticator: { authenticate: async () => undefined } });
  const stored = new StoredTargets({ store, gateway, tenant: "acme", makers: { echo } });
  const shown = async () =>
    (await gateway.tools.list(context)).map(({ name, description }) => `${name}: ${description}`);
  return { gateway, stored, shown };
}

test("targets outlive their gateway, and another one gets them, their changes and their end by sync", async () => {
  const store = new InMemoryGatewayStore();
  const here = gatewayOver(store);
  const there = gatewayOver(store);
  await here.stored.save("a", "echo", "first");
  await here.stored.save("b", "echo", "second");
  expect(await here.shown()).toEqual(["a___say: first", "b___say: second"]);
  expect(await there.stored.sync()).toEqual([]);
  expect(await there.shown()).toEqual(await here.shown());
  await here.stored.save("a", "echo", "changed");
  await here.stored.remove("b");
  await there.stored.sync();
  expect(await there.shown()).toEqual(["say: changed"]);
});

test("what cannot be made is not kept; what another wrote and cannot be made here is named, the rest served", async () => {
  const store = new InMemoryGatewayStore();
  const { stored, shown } = gatewayOver(store);
  await expect(stored.save("a", "toString", {})).rejects.toMatchObject({ kind: "invalid" });
  expect(await store.targets("acme")).toEqual([]);
  await store.saveTarget({ tenant: "acme", name: "new", kind: "later", definition: {}, updatedAt: 1 });
  await store.saveTarget({ tenant: "acme", name: "old", kind: "echo", definition: "fine", updatedAt: 1 });
  await store.saveTarget({ tenant: "globex", name: "other", kind: "echo", definition: "theirs", updatedAt: 1 });
  expect(await stored.sync()).toMatchObject([{ name: "new", error: { code: "GATEWAY_INVALID" } }]);
  expect(await shown()).toEqual(["say: fine"]);
});

test("a target that was added by hand stays", async () => {
  const { gateway, stored, shown } = gatewayOver(new InMemoryGatewayStore());
  gateway.addTarget(echo("hand", "made"));
  await stored.sync();
  expect(await shown()).toEqual(["say: made"]);
});
