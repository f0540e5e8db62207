import { conventionProblems, type SpanRecord } from "@ashlar/observability";

/** What must happen in a resolved ticket for it to be told whole: one sentence of each kind. */
const told: Readonly<Record<string, (span: SpanRecord) => boolean>> = {
  "the gateway's door": ({ scope, attributes }) => scope === "ashlar.gateway" && attributes["http.route"] === "/agents",
  "a turn of the session": ({ scope, attributes }) =>
    scope === "ashlar.runtime" &&
    attributes["gen_ai.operation.name"] === "invoke_agent" &&
    attributes["gen_ai.conversation.id"] !== undefined &&
    attributes["ashlar.session.turn"] === 1,
  "a model call with its tokens": ({ name, attributes }) =>
    name.startsWith("chat ") && attributes["gen_ai.usage.input_tokens"] !== undefined,
  "a tool call": ({ name }) => name.startsWith("execute_tool "),
  "the tool call as MCP's server saw it": ({ name, kind }) => name.startsWith("tools/call ") && kind === "server",
  "a run in the sandbox": ({ name }) => /^sandbox\.(run|exec)$/.test(name),
  "a look into memory": ({ name }) => name === "search_memory",
  "something remembered": ({ name }) => name === "create_memory",
  "a caller made known": ({ name }) => name === "identity.authenticate",
  "a decision about a tool": ({ name, attributes }) =>
    name === "identity.decide" && attributes["ashlar.policy.action"] === "tool.call",
  "a credential put in": ({ name }) => name === "identity.inject",
};

/** What keeps the spans from reading as one story; empty when they do. */
export function storyProblems(spans: readonly SpanRecord[]): readonly string[] {
  const problems = spans.flatMap((span) => conventionProblems(span));
  const traces = new Set(spans.map(({ traceId }) => traceId));
  if (traces.size !== 1) problems.push(`it is told in ${traces.size} traces`);
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  if (roots.length !== 1) problems.push(`it has ${roots.length} beginnings`);
  for (const { name, parentSpanId } of spans)
    if (parentSpanId !== undefined && !ids.has(parentSpanId)) problems.push(`${name} stands under nothing`);
  for (const [kind, is] of Object.entries(told)) if (!spans.some(is)) problems.push(`${kind} is missing`);
  return problems;
}
