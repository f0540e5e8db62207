import { expect, test } from "vitest";
import { InMemoryTraceStore } from "../in-memory/index.ts";
import { PriceTable } from "../price-table.ts";
import { spanFixture, spanIdOf } from "../testing/span-fixture.ts";
import { type BudgetOverrun, BudgetWatch } from "./budget-watch.ts";
import { costs } from "./costs.ts";

const acme = { principal: { tenant: "acme" } };
const globex = { principal: { tenant: "globex" } };
const pricing = new PriceTable({ models: { "m-*": { inputPerMillion: 3, outputPerMillion: 15 } } });
const chat = (id: number, session: string, model = "m-1") =>
  spanFixture({
    spanId: spanIdOf(id),
    name: `chat ${model}`,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.request.model": model,
      "gen_ai.conversation.id": session,
      "gen_ai.agent.name": "resolver",
      "gen_ai.usage.input_tokens": 1000,
      "gen_ai.usage.output_tokens": 100,
    },
  });

test("cost by session, agent, model and tenant; what has no price is counted apart", async () => {
  const traces = new InMemoryTraceStore();
  await traces.append(acme, [chat(1, "ses_1"), chat(2, "ses_2"), chat(3, "ses_2", "m-2"), chat(4, "ses_2", "other")]);
  const by = async (key: "session" | "agent" | "model" | "tenant", context = acme) =>
    (await costs(context, { traces, pricing }, { by: key })).map((row) => [
      row.key,
      row.calls,
      row.prices[0]?.micros ?? 0,
      row.unpricedCalls,
    ]);
  expect(await by("session")).toEqual([
    ["ses_2", 3, 9000, 1],
    ["ses_1", 1, 4500, 0],
  ]);
  expect(await by("agent")).toEqual([["resolver", 4, 13_500, 1]]);
  expect(await by("model")).toEqual([
    ["m-1", 2, 9000, 0],
    ["m-2", 1, 4500, 0],
    ["other", 1, 0, 1],
  ]);
  expect(await by("tenant")).toEqual([["acme", 4, 13_500, 1]]);
  expect(await by("tenant", globex)).toEqual([]);
});

test("a used-up budget is told once; one that could not be told is told at the next look", async () => {
  const traces = new InMemoryTraceStore();
  const told: BudgetOverrun[] = [];
  let down = true;
  const watch = new BudgetWatch({
    traces,
    pricing,
    budgets: [{ by: "session", limit: { micros: 9000, currency: "USD" } }],
    action: {
      async exceeded(_context, overrun) {
        if (down) throw new Error("nobody answers");
        told.push(overrun);
      },
    },
  });
  await traces.append(acme, [chat(1, "ses_1")]);
  expect(await watch.look(acme)).toEqual([]);
  await traces.append(acme, [chat(2, "ses_1")]);
  await expect(watch.look(acme)).rejects.toThrow("nobody answers");
  down = false;
  for (let look = 0; look < 2; look++) expect(await watch.look(acme)).toHaveLength(1);
  expect(await watch.look(globex)).toEqual([]);
  expect(told).toMatchObject([{ key: "ses_1", spent: { micros: 9000, currency: "USD" } }]);
});
