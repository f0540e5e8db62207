/** What a server does when it needs its client: asks, and goes on with the answer. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  type InputRequests,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";

/** Signed: a state that was changed on its way is refused before a tool sees it. */
export const states = createRequestStateCodec<number>({ key: "a key that only the fixture has, 32+" });

const said = (value: unknown) => ({
  content: [{ type: "text" as const, text: typeof value === "string" ? value : JSON.stringify(value) }],
});

const question = (message: string, field: string, type: "string" | "boolean" = "string") =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [field]: { type } }, required: [field] },
  });

const sample = (text: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text } }], maxTokens });

/** The accepted answers by key, or nothing while one of them is missing. */
function answers(context: ServerContext, keys: readonly string[]): Record<string, unknown> | undefined {
  const found: Record<string, unknown> = {};
  for (const key of keys) {
    const response = inputResponse(context.mcpReq.inputResponses, key);
    if (response.kind === "missing" || (response.kind === "elicit" && response.action !== "accept")) return undefined;
    found[key] = response;
  }
  return found;
}

function asking(
  server: McpServer,
  name: string,
  requests: InputRequests,
  { signed = false, words = "" }: { readonly signed?: boolean; readonly words?: string } = {},
): void {
  server.registerTool(name, { description: "Asks its client first" }, async (context) => {
    const found = answers(context, Object.keys(requests));
    if (found !== undefined && (!signed || context.mcpReq.requestState<number>() === 1)) {
      return said(`${words} ${JSON.stringify(found)}`);
    }
    return inputRequired({ inputRequests: requests, ...(signed ? { requestState: await states.mint(1) } : {}) });
  });
}

export function interactive(server: McpServer): void {
  const name = question("What is your name?", "name");
  const roots = inputRequired.listRoots();
  asking(server, "test_input_required_result_elicitation", { user_name: name });
  asking(server, "test_input_required_result_sampling", {
    capital_question: sample("What is the capital of France?", 100),
  });
  asking(server, "test_input_required_result_list_roots", { client_roots: roots });
  const confirm = { confirm: question("Please confirm", "ok", "boolean") };
  asking(server, "test_input_required_result_request_state", confirm, { signed: true, words: "state-ok" });
  asking(server, "test_input_required_result_tampered_state", confirm, { signed: true });
  asking(
    server,
    "test_input_required_result_multiple_inputs",
    { user_name: name, greeting: sample("Generate a greeting", 50), client_roots: roots },
    { signed: true },
  );

  server.registerTool("test_input_required_result_multi_round", { description: "Asks twice" }, async (context) => {
    const round = context.mcpReq.requestState<number>() ?? 0;
    if (round === 2 && answers(context, ["step2"]) !== undefined) return said("Both answered");
    const second = round === 1 && answers(context, ["step1"]) !== undefined;
    return inputRequired({
      inputRequests: second
        ? { step2: question("Step 2: What is your favorite color?", "color") }
        : { step1: question("Step 1: What is your name?", "name") },
      requestState: await states.mint(second ? 2 : 1),
    });
  });

  server.registerTool("test_input_required_result_capabilities", { description: "Asks what it may" }, (context) => {
    const able = (context.mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as Record<string, unknown>;
    const requests: InputRequests = {};
    if (able.elicitation !== undefined) requests.user_name = name;
    if (able.sampling !== undefined) requests.greeting = sample("Generate a greeting", 50);
    return Object.keys(requests).length === 0
      ? said("Nothing to ask with")
      : inputRequired({ inputRequests: requests });
  });

  asking(server, "test_missing_capability", { needed: sample("Anything", 10) });

  server.registerPrompt("test_input_required_result_prompt", { description: "Asks first" }, (context) => {
    const found = answers(context as ServerContext, ["user_context"]);
    if (found === undefined) {
      return inputRequired({
        inputRequests: { user_context: question("What context should the prompt use?", "context") },
      });
    }
    return { messages: [{ role: "user", content: { type: "text", text: JSON.stringify(found) } }] };
  });
}

const choices = (...pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([value, title]) => ({ const: value, title }));

/** The older way: the server's own request travels on the stream of the call. */
export function pushed(server: McpServer): void {
  server.registerTool(
    "test_sampling",
    { description: "Asks a model", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) => {
      const { content } = await context.mcpReq.send({
        method: "sampling/createMessage",
        params: { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 },
      });
      return said(`LLM response: ${JSON.stringify(content)}`);
    },
  );
  server.registerTool(
    "test_elicitation",
    { description: "Asks a person", inputSchema: z.object({ message: z.string() }) },
    async ({ message }, context) =>
      said(
        `User response: ${await elicit(context, message, {
          username: { type: "string", description: "User's response" },
          email: { type: "string", description: "User's email address" },
        })}`,
      ),
  );
  server.registerTool("test_elicitation_sep1034_defaults", { description: "Asks with defaults" }, async (context) =>
    said(
      `Elicitation completed: ${await elicit(context, "Is this right?", {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      })}`,
    ),
  );
  server.registerTool("test_elicitation_sep1330_enums", { description: "Asks with choices" }, async (context) =>
    said(
      `Elicitation completed: ${await elicit(context, "Which?", {
        untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
        titledSingle: {
          type: "string",
          oneOf: choices(["value1", "First Option"], ["value2", "Second Option"], ["value3", "Third Option"]),
        },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
        titledMulti: {
          type: "array",
          items: {
            anyOf: choices(["value1", "First Choice"], ["value2", "Second Choice"], ["value3", "Third Choice"]),
          },
        },
      })}`,
    ),
  );
}

async function elicit(context: ServerContext, message: string, properties: object): Promise<string> {
  const required = Object.keys(properties).filter((key) => key === "username" || key === "email");
  const { action, content } = await context.mcpReq.send({
    method: "elicitation/create",
    params: { message, requestedSchema: { type: "object", properties, required } },
  });
  return `action=${action}, content=${JSON.stringify(content ?? {})}`;
}
