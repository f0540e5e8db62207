import { Container } from "inversify";
import { expect, test } from "vitest";
import { agentTools, codeInterpreterTools } from "../toolset/index.ts";
import { EGRESS_GATEWAY, egressModule, SANDBOX_TOOLS, sandboxToolsModule, toolsModule, wasmModule } from "./index.ts";

test("a container makes the tools over the chosen backend, and closes them", async () => {
  const container = new Container();
  const tools = sandboxToolsModule({ tools: [...agentTools, ...codeInterpreterTools] });
  await container.load(toolsModule({ minIsolation: "language" }), wasmModule(), egressModule(), tools);
  const source = await container.getAsync(SANDBOX_TOOLS);
  const context = { principal: { tenant: "acme", session: "one" } };
  expect((await source.call(context, "executeCode", { code: "6 * 7" })).content[0]).toMatchObject({ text: "42" });
  await container.getAsync(EGRESS_GATEWAY);
  await expect(async () => container.load(egressModule())).rejects.toMatchObject({ code: "ASHLAR_TOKEN_BOUND" });
  await container.unbindAllAsync();
  await expect(source.call(context, "executeCode", { code: "1" })).rejects.toMatchObject({ code: "TOOLS_CLOSED" });
});
