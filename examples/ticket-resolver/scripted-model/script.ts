/** What a chat completion request holds, as far as the script reads it (OpenAI's Chat Completions protocol). */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly stream?: boolean;
}

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content?: string | readonly { readonly type: string; readonly text?: string }[] | null;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
  readonly tool_call_id?: string;
}

export interface Call {
  readonly call: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export type Move = { readonly say: string } | Call;

interface Charge {
  readonly id: string;
  readonly invoice: string;
  readonly amount_cents: number;
  readonly currency: string;
  readonly status: string;
  readonly created_at: string;
}

/**
 * The next move, computed from what the tools have answered so far: other ticket data gives another refund, and a wrong
 * answer of the sandbox gives a wrong one.
 */
export function nextMove({ messages, tools = [] }: ChatRequest): Move {
  const names = tools.map((tool) => tool.function.name);
  const offered = (suffix: string): string | undefined => names.find((name) => name.endsWith(suffix));
  const results = toolResults(messages);
  const result = (suffix: string): string | undefined => results.find(({ name }) => name.endsWith(suffix))?.text;
  const must = (suffix: string): string => {
    const name = offered(suffix);
    if (name === undefined) throw new Error(`The agent offers no tool ${suffix}: ${names.join(", ")}`);
    return name;
  };

  const ticketId = /\bT-\d+\b/.exec(lastUserText(messages))?.[0];
  if (ticketId === undefined) return { say: "Which ticket shall I resolve?" };

  const ticketText = result("get_ticket");
  if (ticketText === undefined) return { call: must("get_ticket"), arguments: { ticket_id: ticketId } };
  if (!ticketText.startsWith("{")) return { say: ticketText };
  const { customer } = JSON.parse(ticketText) as { customer: { id: string; name: string } };

  const preferences = result("memory_search");
  if (preferences === undefined) {
    return {
      call: must("memory_search"),
      arguments: { text: `How does ${customer.name} (${customer.id}) prefer to be answered?` },
    };
  }
  const chargesText = result("list_charges");
  if (chargesText === undefined) return { call: must("list_charges"), arguments: { customer_id: customer.id } };
  const { charges } = JSON.parse(chargesText) as { charges: readonly Charge[] };

  const analysis = analyse(charges, offered, result);
  if ("call" in analysis) return analysis;
  const refund = result("refund_charge");
  const [duplicate] = analysis.duplicates;
  if (duplicate !== undefined && refund === undefined) {
    const reason = `Duplicate of ${duplicate.duplicate_of} on ${duplicate.invoice} (${ticketId})`;
    return {
      call: must("refund_charge"),
      arguments: { charge_id: duplicate.id, amount_cents: duplicate.amount_cents, reason },
    };
  }

  const answer = reply(called(customer, preferences), duplicate, refund);
  if (result("reply_to_ticket") === undefined)
    return { call: must("reply_to_ticket"), arguments: { ticket_id: ticketId, text: answer } };
  if (result("memory_add") === undefined) {
    const outcome = duplicate === undefined ? "no duplicate was found" : `${duplicate.id} was paid back as a duplicate`;
    return {
      call: must("memory_add"),
      arguments: { text: `${ticketId} of ${customer.name} (${customer.id}): ${outcome}.` },
    };
  }
  return { say: answer };
}

interface Duplicate {
  readonly id: string;
  readonly duplicate_of: string;
  readonly invoice: string;
  readonly amount_cents: number;
  readonly currency: string;
}

/** The charges are analysed in the sandbox: with Python where there is a shell, else with JavaScript. */
function analyse(
  charges: readonly Charge[],
  offered: (suffix: string) => string | undefined,
  result: (suffix: string) => string | undefined,
): Call | { readonly duplicates: readonly Duplicate[] } {
  const bash = offered("bash");
  const write = offered("file_write");
  const code = offered("execute_code");
  if (bash !== undefined && write !== undefined) {
    if (result("file_write") === undefined) {
      return { call: write, arguments: { file_path: "charges.json", content: JSON.stringify(charges) } };
    }
    const output = result("bash");
    if (output === undefined) return { call: bash, arguments: { command: `python3 - <<'EOF'\n${python}\nEOF` } };
    return { duplicates: JSON.parse(lastLine(output)) };
  }
  if (code === undefined) throw new Error("The agent offers neither a shell nor code execution.");
  const output = result("execute_code");
  if (output === undefined) {
    return {
      call: code,
      arguments: { language: "javascript", code: `const charges = ${JSON.stringify(charges)};\n${javascript}` },
    };
  }
  return { duplicates: JSON.parse(lastLine(output)) };
}

const python = `
import json
from datetime import datetime

settled, found = {}, []
for charge in json.load(open("charges.json")):
    if charge["status"] != "settled":
        continue
    key = (charge["invoice"], charge["amount_cents"])
    at = datetime.fromisoformat(charge["created_at"].replace("Z", "+00:00"))
    if key in settled and (at - settled[key][1]).total_seconds() < 3600:
        found.append({**charge, "duplicate_of": settled[key][0]})
    settled.setdefault(key, (charge["id"], at))
print(json.dumps(found))`.trim();

const javascript = `
const settled = new Map();
const found = [];
for (const charge of charges.filter(({ status }) => status === "settled")) {
  const key = charge.invoice + " " + charge.amount_cents;
  const first = settled.get(key);
  if (first && Date.parse(charge.created_at) - Date.parse(first.created_at) < 3600000) {
    found.push({ ...charge, duplicate_of: first.id });
  }
  if (!first) settled.set(key, charge);
}
console.log(JSON.stringify(found));`.trim();

/** How this customer wants to be addressed, if the memory says so. */
function called({ id, name }: { readonly id: string; readonly name: string }, preferences: string): string {
  const { hits = [] } = JSON.parse(preferences) as { hits?: readonly { readonly text: string }[] };
  const own = hits.find(({ text }) => text.includes(id) && text.includes("addressed as"));
  return /addressed as ([A-Z][\w.]* [A-Z][\w'-]*)/.exec(own?.text ?? "")?.[1] ?? name;
}

function reply(name: string, duplicate: Duplicate | undefined, refund: string | undefined): string {
  if (duplicate === undefined) {
    return `Dear ${name}, we compared all your charges: none was taken twice for the same invoice. If one still looks wrong, send us its date and amount.`;
  }
  if (refund === undefined || !refund.startsWith("{")) {
    return `Dear ${name}, ${duplicate.invoice} was charged twice. The refund could not be made yet (${refund}); a colleague takes over.`;
  }
  const amount = (duplicate.amount_cents / 100).toFixed(2);
  return `Dear ${name}, ${duplicate.invoice} was charged twice. We have refunded ${amount} ${duplicate.currency} (${duplicate.id}); it reaches your card within five working days. We are sorry for the trouble.`;
}

function toolResults(messages: readonly ChatMessage[]): { name: string; text: string }[] {
  const names = new Map(
    messages.flatMap((message) => message.tool_calls ?? []).map((call) => [call.id, call.function.name]),
  );
  return messages
    .filter((message) => message.role === "tool")
    .map((message) => ({ name: names.get(message.tool_call_id ?? "") ?? "", text: textOf(message) }));
}

const lastUserText = (messages: readonly ChatMessage[]): string =>
  textOf(messages.findLast((message) => message.role === "user"));

function textOf(message: ChatMessage | undefined): string {
  const content = message?.content ?? "";
  return typeof content === "string" ? content : content.map(({ text = "" }) => text).join("");
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
