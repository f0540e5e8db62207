import assert from "node:assert/strict";
import type { CallContext, Json } from "../dialect.ts";
import type { ToolResult, ToolSource } from "../tool-source.ts";
import type { TestFunction } from "./suite.ts";

export interface ToolSourceConformance {
  readonly test: TestFunction;
  create(): Promise<{
    readonly source: ToolSource;
    readonly context: CallContext;
    /** A call that succeeds. */
    readonly good: { readonly name: string; readonly args: Json };
    /** A call whose tool runs and fails; absent when no tool of this source can. */
    readonly failing?: { readonly name: string; readonly args: Json };
    /** A call whose arguments do not fit the tool's schema; absent when every argument fits. */
    readonly misfit?: { readonly name: string; readonly args: Json };
  }>;
}

/** The law of `ToolSource`. */
export function toolSourceConformance({ test, create }: ToolSourceConformance): void {
  const law = (name: string, body: (parts: Awaited<ReturnType<typeof create>>) => Promise<void>) =>
    test(`tool source: ${name}`, async () => body(await create()));

  law("every tool has a name of its own and a JSON Schema of an object", async ({ source, context, good }) => {
    const tools = await source.list(context);
    const names = tools.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, `a name is listed twice: ${names.join(", ")}`);
    assert.ok(names.includes(good.name), `${good.name} is not listed`);
    for (const { name, inputSchema } of tools) {
      assert.ok(name.length > 0);
      const isObject = typeof inputSchema === "object" && inputSchema !== null && !Array.isArray(inputSchema);
      assert.ok(isObject, `the schema of ${name} is no object`);
      assert.equal((inputSchema as { readonly type?: Json }).type, "object", `the schema of ${name}`);
    }
  });

  law("a call answers in MCP's shape, as JSON", async ({ source, context, good }) => {
    const result = await source.call(context, good.name, good.args);
    checkShape(result);
    assert.notEqual(result.isError, true, JSON.stringify(result.content));
    assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
  });

  law("a tool that fails says so in its result, and does not throw", async ({ source, context, failing }) => {
    if (failing === undefined) return;
    const result = await source.call(context, failing.name, failing.args);
    checkShape(result);
    assert.equal(result.isError, true);
    assert.ok(result.content.length > 0, "a model reads why it failed: the content is empty");
  });

  law("arguments that do not fit and tools that do not exist are refused", async ({ source, context, misfit }) => {
    await refused(() => source.call(context, "there_is_no_such_tool", {}));
    if (misfit !== undefined) await refused(() => source.call(context, misfit.name, misfit.args));
  });

  law("calls at the same time each get their own answer", async ({ source, context, good }) => {
    const results = await Promise.all([1, 2, 3].map(() => source.call(context, good.name, good.args)));
    for (const result of results) {
      checkShape(result);
      assert.notEqual(result.isError, true);
    }
  });
}

function checkShape({ content, isError }: ToolResult): void {
  assert.ok(Array.isArray(content), "content is no list");
  for (const part of content) assert.equal(typeof part.type, "string");
  assert.ok(isError === undefined || typeof isError === "boolean");
}

/** Refused is a result that says so, or an error with a kind that no retry heals. */
async function refused(call: () => Promise<ToolResult>): Promise<void> {
  let result: ToolResult;
  try {
    result = await call();
  } catch (error) {
    const { kind, retryable } = error as { readonly kind?: string; readonly retryable?: boolean };
    assert.ok(["invalid", "not_found", "denied"].includes(kind ?? ""), `kind was ${kind}: ${error}`);
    assert.equal(retryable, false);
    return;
  }
  assert.equal(result.isError, true, "the call was answered as if it had run");
}
