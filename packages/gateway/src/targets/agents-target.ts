import type { AgentSessions } from "../agent-sessions.ts";
import { type AgentConventions, defaultConventions, untilSettled } from "../agents/conventions.ts";
import { GatewayError } from "../errors.ts";

import type { Target } from "../target.ts";

/** Published agents as tools: one per agent, which takes a message and gives the agent's answer. */
export function agentsTarget({
  name,
  agents,
  conventions,
}: {
  readonly name: string;
  readonly agents: AgentSessions;
  readonly conventions?: Partial<AgentConventions>;
}): Target {
  const spoken = { ...defaultConventions, ...conventions };
  const inputSchema = { type: "object", properties: { message: { type: "string" } }, required: ["message"] };
  return {
    name,
    async list(context) {
      const found = [];
      let cursor: string | undefined;
      do {
        const page = await agents.agents(context, cursor === undefined ? {} : { cursor });
        found.push(...page.items);
        cursor = page.cursor;
      } while (cursor !== undefined);
      return found.map(({ name: agent, description }) => ({
        name: agent,
        inputSchema,
        ...(description === undefined ? {} : { description }),
      }));
    },
    async call(context, agent, args) {
      const { message } = Object(args) as { readonly message?: unknown };
      if (typeof message !== "string") throw new GatewayError("GATEWAY_INVALID", "`message` must be a string.");
      const { id } = await agents.open(context, { agent });
      const { seq } = await agents.send(context, id, { type: spoken.message, body: { content: message } });
      const settled = await untilSettled(agents.events(context, id, { after: seq }), seq, spoken);
      const output = settled?.output ?? null;
      const text = typeof output === "string" ? output : JSON.stringify(output);
      return {
        content: [{ type: "text", text }],
        ...(settled === undefined || settled.failed ? { isError: true } : {}),
      };
    },
  };
}
