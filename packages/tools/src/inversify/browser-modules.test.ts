import { Container } from "inversify";
import { expect, test } from "vitest";
import { BROWSERS, browserModule, toolsModule, wasmModule } from "./index.ts";

test("a container makes browsers over the chosen backend, and no weaker ones", async () => {
  const container = new Container();
  await container.load(toolsModule({ minIsolation: "language" }), wasmModule(), browserModule());
  const browsers = await container.getAsync(BROWSERS);
  await expect(browsers.open({ principal: { tenant: "acme" } })).rejects.toMatchObject({
    code: "TOOLS_ISOLATION_UNAVAILABLE",
  });
  await expect(async () => container.load(browserModule())).rejects.toMatchObject({ code: "ASHLAR_TOKEN_BOUND" });
  await container.unbindAllAsync();
});
