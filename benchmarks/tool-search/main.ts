/** Finding tools among 5,000 that are made from a grammar: time per search, and what the list costs without search. */
import { searchedTools, ToolSearch } from "../../packages/gateway/src/index.ts";
import { report, round, spread, timeEach } from "../support/measure.ts";

const verbs = ["create", "list", "read", "update", "delete", "archive", "export", "import", "approve", "cancel"];
const nouns = [
  "invoice",
  "ticket",
  "customer",
  "refund",
  "order",
  "shipment",
  "contract",
  "employee",
  "payment",
  "report",
];
const places = Array.from({ length: 50 }, (_, index) => `region${index}`);
const tools = verbs.flatMap((verb) =>
  nouns.flatMap((noun) =>
    places.map((place) => ({
      name: `${verb}_${noun}_${place}`,
      description: `Use this to ${verb} one ${noun} that belongs to the office in ${place}. Needs its id.`,
      inputSchema: { type: "object", properties: { id: { type: "string" }, [`${noun}_note`]: { type: "string" } } },
    })),
  ),
);
const search = new ToolSearch(tools);
let found = 0;
const samples = await timeEach(2000, (run) => {
  const wanted = tools[(run * 7919) % tools.length];
  const query = wanted?.name.replaceAll("_", " ") ?? "";
  if (search.search(query, 10).some(({ name }) => name === wanted?.name)) found += 1;
});
const { p50, p99 } = spread(samples);
const source = { list: async () => tools, call: async () => ({ content: [] }) };
const full = JSON.stringify(tools).length;
const context = { principal: { tenant: "bench" } };
const offered = searchedTools(source);
const answer = await offered.call(context, "search_tools", { query: "refund customer region7", limit: 10 });
const withSearch = JSON.stringify(await offered.list(context)).length + JSON.stringify(answer.structuredContent).length;
const tokenSaving = 1 - withSearch / full;
report(
  "tool-search",
  [
    {
      tools: tools.length,
      "p50 ms": round(p50),
      "p99 ms": round(p99),
      "found in 10": round(found / 2010),
      "tokens saved": round(tokenSaving),
    },
  ],
  {
    tools: tools.length,
    p99Ms: round(p99),
    tokenSaving: round(tokenSaving),
  },
);
