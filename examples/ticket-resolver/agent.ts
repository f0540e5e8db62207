import type { Agent, Pricing, ToolSource } from "@ashlar/runtime";
import { loopAgent } from "@ashlar/runtime/ai";
import type { LanguageModel } from "ai";
import { AGENT } from "./config.ts";

/** The definition, as the managed product's published sample spells it. */
export const definition = {
  name: AGENT,
  system:
    "You resolve support tickets. Read the ticket, look at the customer's charges with code in the sandbox, refund " +
    "what was taken twice, answer the customer the way they like it, and remember what you did. Refund only what the " +
    "charges prove.",
  tools: ["bash", "file_read", "file_write", "execute_code"],
  mcp_servers: [{ name: "tickets", auth: { credential_ref: "ticket_db_token" } }],
  budget: { tokens: 200_000 },
} as const;

export interface Parts {
  readonly model: LanguageModel;
  readonly sandbox: ToolSource;
  readonly tickets: ToolSource;
  readonly memory: ToolSource;
  readonly pricing: Pricing;
}

export function ticketResolver({ model, sandbox, tickets, memory, pricing }: Parts): Agent {
  const { name, system, budget } = definition;
  return loopAgent({
    name,
    system,
    budget,
    model,
    pricing,
    tools: [sandbox, tickets, memory],
    description: "Resolves support tickets.",
  });
}
