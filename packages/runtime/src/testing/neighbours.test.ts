import { expect, test } from "vitest";
import type { CallContext } from "../dialect.ts";
import type { Permissions } from "../permissions.ts";
import type { Pricing } from "../pricing.ts";
import type { SessionMemory } from "../session-memory.ts";
import type { ToolSource } from "../tool-source.ts";
import { permissionsConformance } from "./permissions-conformance.ts";
import { pricingConformance } from "./pricing-conformance.ts";
import { sessionMemoryConformance } from "./session-memory-conformance.ts";
import type { TestFunction } from "./suite.ts";
import { toolSourceConformance } from "./tool-source-conformance.ts";

const context: CallContext = { principal: { tenant: "acme" } };
const stranger: CallContext = { principal: { tenant: "acme2" } };

interface Faults {
  readonly tenantless?: boolean;
  readonly seconds?: boolean;
  readonly keyless?: boolean;
  readonly unlimited?: boolean;
  readonly unranked?: boolean;
  readonly throwing?: boolean;
  readonly deaf?: boolean;
  readonly twice?: boolean;
  readonly open?: boolean;
  readonly silent?: boolean;
  readonly payload?: boolean;
  readonly whole?: boolean;
  readonly free?: boolean;
  readonly double?: boolean;
}

function memoryWith({ tenantless, seconds, keyless, unlimited, unranked }: Faults): SessionMemory {
  const kept: { tenant: string; key: string; text: string; at: number }[] = [];
  const words = (text: string): readonly string[] => text.toLowerCase().match(/\w+/g) ?? [];
  return {
    async recall({ principal: { tenant } }, { text, limit = 10 }) {
      const found = kept
        .filter((turn) => tenantless || turn.tenant === tenant)
        .map((turn) => ({ ...turn, score: words(text).filter((word) => words(turn.text).includes(word)).length }))
        .filter(({ score }) => score > 0)
        .sort((a, b) => (unranked ? a.score - b.score : b.score - a.score))
        .map(({ key, text, score, at }) => ({ id: key, text, score, at: seconds ? at / 1000 : at }));
      return unlimited ? found : found.slice(0, limit);
    },
    async remember({ principal: { tenant }, idempotencyKey }, { text, at }) {
      const key = (keyless ? undefined : idempotencyKey) ?? `mem_${kept.length}`;
      if (!kept.some((turn) => turn.tenant === tenant && turn.key === key)) kept.push({ tenant, key, text, at });
    },
  };
}

function toolsWith({ throwing, deaf, twice, silent }: Faults): ToolSource {
  const tool = { name: "greet", inputSchema: { type: "object" } };
  return {
    list: async () => (twice ? [tool, tool] : [tool]),
    async call(_, name, args) {
      const { who } = args as { who?: unknown };
      const say = (text: string, isError: boolean) => ({ content: [{ type: "text", text }], isError });
      if (name !== "greet" && !deaf) return say(`There is no tool ${name}.`, true);
      if (typeof who !== "string" && !deaf) return say("`who` must be a string.", true);
      if (who !== "nobody") return say(`Hello, ${who}.`, false);
      if (throwing) throw new Error("Nobody cannot be greeted.");
      return silent ? { content: [], isError: true } : say("Nobody cannot be greeted.", true);
    },
  };
}

function permissionsWith({ open, silent, payload, tenantless }: Faults): Permissions {
  return {
    async decide({ principal }, { action, arguments: given }) {
      const reason = silent ? "" : `policy for ${action}`;
      if (payload && (given as { tenant?: string } | undefined)?.tenant === "admin") return { effect: "allow", reason };
      if (action === "read" && (tenantless || principal.tenant === "acme")) return { effect: "allow", reason };
      if (action === "refund") return { effect: "ask", reason };
      return { effect: open && action !== "erase" ? "allow" : "deny", reason };
    },
  };
}

function pricingWith({ whole, free, double }: Faults): Pricing {
  return {
    price(model, { inputTokens, outputTokens, cachedTokens = 0 }) {
      if (model !== "m") return free ? { micros: 0, currency: "USD" } : undefined;
      const fresh = double ? inputTokens : inputTokens - cachedTokens;
      const micros = fresh * 3 + cachedTokens * 1 + outputTokens * 15;
      return { micros: whole ? micros / 1_000_000 : micros, currency: "USD" };
    },
  };
}

const suites = {
  memory: (test: TestFunction, faults: Faults) =>
    sessionMemoryConformance({ test, create: async () => ({ memory: memoryWith(faults), context, stranger }) }),
  tools: (test: TestFunction, faults: Faults) =>
    toolSourceConformance({
      test,
      create: async () => ({
        source: toolsWith(faults),
        context,
        good: { name: "greet", args: { who: "Ada" } },
        failing: { name: "greet", args: { who: "nobody" } },
        misfit: { name: "greet", args: { who: 7 } },
      }),
    }),
  permissions: (test: TestFunction, faults: Faults) =>
    permissionsConformance({
      test,
      create: async () => ({
        permissions: permissionsWith(faults),
        context,
        stranger,
        allowed: { action: "read", resource: "invoice:1" },
        denied: { action: "erase", resource: "invoice:1" },
        asked: { action: "refund", resource: "invoice:1" },
      }),
    }),
  pricing: (test: TestFunction, faults: Faults) =>
    pricingConformance({
      test,
      create: async () => ({ pricing: pricingWith(faults), model: "m", inputMicrosPerMillion: 3_000_000 }),
    }),
};

for (const suite of Object.values(suites)) suite(test, {});

const planted: readonly (readonly [keyof typeof suites, keyof Faults, RegExp])[] = [
  ["memory", "tenantless", /another tenant/],
  ["memory", "seconds", /milliseconds/],
  ["memory", "keyless", /one key/],
  ["memory", "unlimited", /never more/],
  ["memory", "unranked", /best come first/],
  ["tools", "throwing", /does not throw/],
  ["tools", "deaf", /refused/],
  ["tools", "twice", /name of its own/],
  ["tools", "silent", /does not throw/],
  ["permissions", "open", /nobody has named/],
  ["permissions", "silent", /reason/],
  ["permissions", "payload", /payload/],
  ["permissions", "tenantless", /tenant comes from/],
  ["pricing", "whole", /millionths/],
  ["pricing", "free", /unknown model/],
  ["pricing", "double", /cached tokens/],
];

test.each(planted)("a %s that is %s is caught", async (suite, fault, law) => {
  const cases: [string, () => Promise<void>][] = [];
  suites[suite]((name, body) => cases.push([name, body]), { [fault]: true });
  const failed: string[] = [];
  for (const [name, body] of cases) await body().catch(() => failed.push(name));
  expect(failed.filter((name) => law.test(name))).toHaveLength(1);
});
