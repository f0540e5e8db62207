import { expect, test } from "vitest";
import { checkModernHeaders } from "./modern.ts";
import { META, MODERN_VERSION } from "./protocol.ts";

const headers = new Headers({ "mcp-protocol-version": MODERN_VERSION, "mcp-method": "tools/list" });
const asked = (meta: Record<string, string | object>) =>
  checkModernHeaders(headers, { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: meta as never } });

test("a client need not say its name, but its version and what it can do", async () => {
  expect(asked({ [META.protocolVersion]: MODERN_VERSION, [META.clientCapabilities]: {} })).toBeUndefined();
  expect(asked({ [META.protocolVersion]: MODERN_VERSION })?.status).toBe(400);
  expect(asked({ [META.clientCapabilities]: {} })?.status).toBe(400);
});
