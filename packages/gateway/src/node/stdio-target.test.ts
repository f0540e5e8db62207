import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { stdioTarget } from "./index.ts";

const context = { principal: { tenant: "acme" } };
const server = fileURLToPath(new URL("../fixtures/stdio-server.ts", import.meta.url));

test("a server over stdio sees only the environment it was given, and is started again after it ended", async () => {
  const target = stdioTarget({ name: "s", command: [process.execPath, server], environment: { ONLY: "this" } });
  expect((await target.list(context)).map(({ name }) => name)).toEqual(["environment", "die"]);
  expect(await target.call(context, "environment", {})).toMatchObject({ content: [{ text: "ONLY" }] });
  await expect(target.call(context, "die", {})).rejects.toMatchObject({ code: "GATEWAY_TARGET_UNAVAILABLE" });
  expect(await target.call(context, "environment", {})).toMatchObject({ content: [{ text: "ONLY" }] });
  await target.close?.();
});

test("a program that is not there is an unavailable target", async () => {
  const target = stdioTarget({ name: "s", command: ["/nonexistent"] });
  await expect(target.list(context)).rejects.toMatchObject({ kind: "unavailable" });
});
