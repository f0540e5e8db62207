import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Message {
  readonly role: string;
  readonly content?: unknown;
}

type Move = { readonly call: string; readonly arguments: object } | { readonly say: string };

/** What the script does next, from what the tools answered so far. References come from the last snapshot. */
function next(messages: readonly Message[]): Move {
  const seen = messages.filter(({ role }) => role === "tool").map(({ content }) => String(content));
  const last = seen.at(-1) ?? "";
  const ref = (words: string): string => {
    const line = last.split("\n").find((each) => each.includes(words) && each.includes("[ref="));
    return /\[ref=(e\d+)\]/.exec(line ?? "")?.[1] ?? "";
  };
  const url = /https?:\/\/\S+/.exec(messages.map(({ content }) => JSON.stringify(content)).join(" "))?.[0] ?? "";
  const script: readonly (() => Move)[] = [
    () => ({ call: "browser_navigate", arguments: { url: url.replace(/["\\].*$/, "") } }),
    () => ({ call: "browser_fill", arguments: { ref: ref('textbox "Employee"'), text: "Ada Lovelace" } }),
    () => ({ call: "browser_fill", arguments: { ref: ref('textbox "Amount in EUR"'), text: "184.50" } }),
    () => ({ call: "browser_select", arguments: { ref: ref('combobox "Category"'), values: ["Travel"] } }),
    () => ({ call: "browser_fill", arguments: { ref: ref('textbox "Purpose"'), text: "Train to the harbour" } }),
    () => ({ call: "browser_click", arguments: { ref: ref('button "Continue"') } }),
    () => ({ call: "ask_person", arguments: { reason: "The site wants a code that was sent to a phone." } }),
    () => ({ call: "browser_snapshot", arguments: {} }),
    () => ({ say: `The expense is filed: ${/Reference [\w-]+/.exec(last)?.[0] ?? "no reference was shown"}.` }),
  ];
  return (script[seen.length] ?? (() => ({ say: "I am lost." })))();
}

/** SCRIPTED: a local server that speaks OpenAI's Chat Completions protocol and says what the script above says. */
export async function startScriptedModel(): Promise<{ readonly baseURL: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const { messages, model } = JSON.parse(body) as { readonly messages: readonly Message[]; readonly model: string };
      const move = next(messages);
      const call = "call" in move ? { name: move.call, arguments: JSON.stringify(move.arguments) } : undefined;
      const message =
        "say" in move
          ? { role: "assistant", content: move.say }
          : {
              role: "assistant",
              content: null,
              tool_calls: [{ id: `call_${messages.length}`, type: "function", function: call }],
            };
      const choice = { index: 0, message, finish_reason: "say" in move ? "stop" : "tool_calls" };
      const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({ id: "scripted", object: "chat.completion", created: 0, model, choices: [choice], usage }),
      );
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
