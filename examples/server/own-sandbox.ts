import type { ToolSource } from "@ashlar/gateway";

/** People who call tools without an agent's session get a sandbox of their own. */
export const ownSandbox = (tools: ToolSource): ToolSource => ({
  list: (context) => tools.list(context),
  call(context, name, args) {
    const { principal } = context;
    const session = principal.session ?? `user:${principal.user ?? principal.agent ?? "anyone"}`;
    return tools.call({ ...context, principal: { ...principal, session } }, name, args);
  },
});
