import { expect, test } from "vitest";
import { Gateway, GatewayError, type Target } from "./index.ts";
import { ManualClock } from "./testing/index.ts";

const context = { principal: { tenant: "acme" } };

test("a target is failing from a call that did not reach it until one does; a refusal of its own has reached it", async () => {
  const clock = new ManualClock();
  const target: Target = {
    name: "t",
    list: async () => [],
    call: async (_, name) => {
      if (name === "down") throw new GatewayError("GATEWAY_TARGET_UNAVAILABLE", "down");
      if (name === "refused") throw new GatewayError("GATEWAY_TARGET_FAILED", "no");
      return { content: [] };
    },
  };
  const gateway = new Gateway({ authenticator: { authenticate: async () => undefined }, targets: [target], clock });
  const after = async (name: string) => {
    await gateway.tools.call(context, name, {}).catch(() => {});
    return gateway.health()[0];
  };
  expect(gateway.health()).toEqual([{ target: "t", state: "unknown", failures: 0 }]);
  expect(await after("fine")).toMatchObject({ state: "healthy" });
  await after("down");
  expect(await after("down")).toEqual({ target: "t", state: "failing", failures: 2, lastFailedAt: clock.now() });
  expect(await after("refused")).toMatchObject({ state: "healthy", failures: 0 });
});
