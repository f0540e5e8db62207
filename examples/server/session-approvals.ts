import type { Permissions, ToolSource } from "@ashlar/gateway";

type Context = Parameters<ToolSource["call"]>[0];

/**
 * Where a policy says `ask`, an agent's session asks a person and waits without a process. The gateway must then not
 * ask again: a call that comes from a session that has asked is known by its context, which nothing outside can forge.
 */
export function sessionApprovals(permissions: Permissions): {
  /** For the agent loop: the same decisions, under the names that its model sees. */
  readonly forAgents: Permissions;
  /** For the gateway. */
  readonly forGateway: Permissions;
  /** The gateway's tools, called by a loop that has asked `forAgents` before each call. */
  readonly asked: (tools: ToolSource) => ToolSource;
} {
  const asking = new WeakSet<object>();
  return {
    forAgents: {
      decide: (context, request) =>
        permissions.decide(context, { ...request, resource: request.resource.replace("___", "/") }),
    },
    forGateway: {
      async decide(context, request) {
        const decision = await permissions.decide(context, request);
        const asked = decision.effect === "ask" && asking.has(context);
        return asked ? { ...decision, effect: "allow" } : decision;
      },
    },
    asked: (tools) => ({
      list: (context) => tools.list(context),
      call: (context: Context, name, args) => {
        const own = { ...context };
        asking.add(own);
        return tools.call(own, name, args);
      },
    }),
  };
}
