import type { CallContext, Json } from "../dialect.ts";
import { GatewayError } from "../errors.ts";
import { traceHeaders } from "../internal/tracing.ts";
import { encodeHeaderValue } from "../mcp/protocol.ts";
import type { TargetAuth, TargetFactory } from "../target.ts";
import type { ToolDescription } from "../tool-source.ts";
import { authorisedSender } from "./authorised-sender.ts";
import { resultOf } from "./functions-target.ts";
import { refusal } from "./mcp-answer.ts";

export interface HttpFunctionsOptions {
  readonly name: string;
  /** Gets a POST of the arguments as JSON; the tool's name is in the header `x-tool-name`. */
  readonly url: string;
  readonly tools: readonly ToolDescription[];
  readonly auth?: TargetAuth;
  readonly timeoutMs?: number;
}

/**
 * Functions behind one HTTP address, in the shape of Lambda function URLs: the event is the arguments, the answer is
 * the result. A `{ errorMessage }` is a failure of the tool.
 */
export const httpFunctionsTarget =
  ({ name, url, tools, auth, timeoutMs }: HttpFunctionsOptions): TargetFactory =>
  ({ transport, injector }) => {
    const send = authorisedSender({ name, transport, injector, auth });
    return {
      name,
      list: async () => tools,
      async call(context: CallContext, tool: string, args: Json) {
        if (!tools.some((each) => each.name === tool)) {
          throw new GatewayError("GATEWAY_NOT_FOUND", `${name} has no tool ${tool}.`);
        }
        const { idempotencyKey, signal } = context;
        const headers: Record<string, string> = {
          "content-type": "application/json",
          "x-tool-name": encodeHeaderValue(tool),
          ...traceHeaders(),
          ...(idempotencyKey === undefined ? {} : { "idempotency-key": encodeHeaderValue(idempotencyKey) }),
        };
        const response = await send(
          context,
          { method: "POST", url, headers, body: Buffer.from(JSON.stringify(args)) },
          { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) },
        );
        const text = Buffer.from(await response.bytes()).toString("utf8");
        if (response.status >= 300) throw refusal(name, response);
        const value = response.headers["content-type"]?.startsWith("application/json") ? parse(name, text) : text;
        const failed = (value as { readonly errorMessage?: unknown } | null)?.errorMessage;
        if (typeof failed === "string") return { content: [{ type: "text", text: failed }], isError: true };
        return resultOf(value);
      },
    };
  };

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new GatewayError("GATEWAY_TARGET_FAILED", `Target ${name} answered with something that is not JSON.`);
  }
}
