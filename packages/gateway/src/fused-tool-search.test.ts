import { expect, test } from "vitest";
import { FusedToolSearch } from "./fused-tool-search.ts";
import { searchedTools, type ToolDescription, type ToolEmbedder } from "./index.ts";

const tool = (name: string, description: string): ToolDescription => ({ name, description, inputSchema: {} });
const tools = [tool("payout", "Sends money"), tool("weather", "Rain or sun"), tool("refund", "Gives an amount back")];
/** Knows that money and cash are alike. */
const embedder: ToolEmbedder = {
  embed: async (texts) =>
    texts.map((text) => [/money|cash|amount/i.test(text) ? 1 : 0, /rain|weather|umbrella/i.test(text) ? 1 : 0, 0.1]),
};
const names = (found: readonly ToolDescription[]) => found.map(({ name }) => name);

test("a tool is found by meaning where no word fits, and by its words as before", async () => {
  expect(names(await new FusedToolSearch(tools).search("umbrella"))).toEqual([]);
  const search = new FusedToolSearch(tools, embedder);
  expect(names(await search.search("umbrella", 1))).toEqual(["weather"]);
  expect(names(await search.search("cash refund", 1))).toEqual(["refund"]);
});

test("an embedder that fails leaves the words, and is asked again next time", async () => {
  let calls = 0;
  const flaky: ToolEmbedder = {
    embed: async (texts) => {
      if (++calls === 1) throw new Error("down");
      return embedder.embed(texts);
    },
  };
  const search = new FusedToolSearch(tools, flaky);
  expect(names(await search.search("money"))).toEqual(["payout"]);
  expect(names(await search.search("umbrella", 1))).toEqual(["weather"]);
});

test("search_tools takes an embedder", async () => {
  const source = { list: async () => tools, call: async () => ({ content: [] }) };
  const context = { principal: { tenant: "acme" } };
  const asked = { query: "umbrella", limit: 1 };
  const found = await searchedTools(source, { embedder }).call(context, "search_tools", asked);
  expect(found.structuredContent).toMatchObject({ tools: [{ name: "weather" }] });
});
