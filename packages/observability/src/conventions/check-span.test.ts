import { expect, test } from "vitest";
import { conventionProblems } from "./check-span.ts";

const problems = (name: string, attributes: Record<string, string | number>) =>
  conventionProblems({ name, attributes });

test("a span of an MCP call is named after its method and its tool", () => {
  const call = { "mcp.method.name": "tools/call", "gen_ai.tool.name": "refund", "jsonrpc.request.id": "7" };
  expect(problems("tools/call refund", call)).toEqual([]);
  expect(problems("refund", call)).toEqual(["refund: the name should be tools/call refund"]);
  expect(problems("tools/call", { "mcp.method.name": "tools/call" })).toEqual([
    "tools/call: tools/call needs gen_ai.tool.name",
  ]);
  expect(problems("resources/read", { "mcp.method.name": "resources/read" })).toEqual([
    "resources/read: resources/read needs mcp.resource.uri",
  ]);
  expect(problems("tools/list", { "mcp.method.name": "tools/list", "mcp.protocol.version": "2026-07-28" })).toEqual([]);
});

test("an MCP attribute without a method, of another type or of no convention is reported", () => {
  expect(problems("x", { "mcp.session.id": "s" })).toEqual(["x: mcp.method.name is missing"]);
  expect(problems("tools/list", { "mcp.method.name": "tools/list", "mcp.tool": "x", "jsonrpc.request.id": 7 })).toEqual(
    ["tools/list: mcp.tool is not in the conventions", "tools/list: jsonrpc.request.id is not of type string"],
  );
});

test("a span of Ashlar's own has a promised name and what is promised with it; a failed one says how", () => {
  const own = (name: string, attributes: Record<string, string | number>, status: "unset" | "error" = "unset") =>
    conventionProblems({ name, attributes, status, scope: "ashlar.identity" });
  const asked = { "ashlar.tenant": "acme", "ashlar.policy.action": "tool.call" };
  expect(own("identity.decide", { ...asked, "ashlar.policy.resource": "refund" })).toEqual([]);
  expect(own("identity.decide", asked)).toEqual(["identity.decide: ashlar.policy.resource is missing"]);
  expect(own("identity.guess", {})).toEqual(["identity.guess: ashlar.identity promises no such span"]);
  expect(own("memory.store read", { "ashlar.memory.operation": "read", "ashlar.memory.size": 1 })).toEqual([]);
  expect(own("identity.inject", { "ashlar.secret": "x" }, "error")).toEqual([
    "identity.inject: ashlar.secret is not in the conventions",
    "identity.inject: error.type is missing",
  ]);
  const http = { "http.request.method": "POST", "http.route": "/mcp", "url.path": "/mcp", "url.scheme": "http" };
  expect(own("POST /mcp", http)).toEqual([]);
  expect(own("mcp", { ...http, "url.path": 1 })).toEqual(["mcp: the name should be POST /mcp"]);
});
