/**
 * The company's ticket system as an MCP server (streamable HTTP) in a process of its own: `DATABASE` names its file,
 * `TICKETS_TOKEN` the bearer token that every request must carry. Prints one line of JSON with its URL when it listens.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeListener } from "@ashlar/gateway/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type Charge, openTickets, type Refund, type Ticket } from "./database.ts";

const database = openTickets(required("DATABASE"));
const token = digest(required("TICKETS_TOKEN"));

const handler = createMcpHandler(({ requestInfo }) => tickets(requestInfo?.headers.get("idempotency-key") ?? null));

const server = createServer(
  nodeListener({ fetch: async (request) => (authorized(request) ? handler.fetch(request) : refuse()) }),
);
server.listen(0, "127.0.0.1");
await once(server, "listening");
console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` }));
process.once("SIGTERM", () => server.close(() => database.close()));

function tickets(idempotencyKey: string | null): McpServer {
  const mcp = new McpServer({ name: "tickets", version: "1.0.0" });

  mcp.registerTool(
    "get_ticket",
    { description: "One ticket with its customer.", inputSchema: z.object({ ticket_id: z.string() }) },
    ({ ticket_id }) => {
      const ticket = database.prepare("SELECT * FROM tickets WHERE id = ?").get(ticket_id) as Ticket | undefined;
      if (ticket === undefined) return failure(`There is no ticket ${ticket_id}.`);
      const customer = database.prepare("SELECT id, name, tier FROM customers WHERE id = ?").get(ticket.customer_id);
      return success({ ticket, customer });
    },
  );

  mcp.registerTool(
    "list_charges",
    { description: "All charges of a customer, oldest first.", inputSchema: z.object({ customer_id: z.string() }) },
    ({ customer_id }) => {
      const charges = database
        .prepare("SELECT * FROM charges WHERE customer_id = ? ORDER BY created_at")
        .all(customer_id);
      return success({ charges });
    },
  );

  mcp.registerTool(
    "refund_charge",
    {
      description: "Pays a charge back. With an Idempotency-Key, repeating the call gives the first refund again.",
      inputSchema: z.object({ charge_id: z.string(), amount_cents: z.int().positive(), reason: z.string() }),
    },
    ({ charge_id, amount_cents, reason }) => {
      const charge = database.prepare("SELECT * FROM charges WHERE id = ?").get(charge_id) as Charge | undefined;
      if (charge === undefined) return failure(`There is no charge ${charge_id}.`);
      if (charge.status !== "settled") return failure(`Charge ${charge_id} is ${charge.status}: nothing to pay back.`);
      if (amount_cents > charge.amount_cents)
        return failure(`Charge ${charge_id} was only ${charge.amount_cents} cents.`);
      database
        .prepare(
          "INSERT INTO refunds (charge_id, amount_cents, reason, idempotency_key) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .run(charge_id, amount_cents, reason, idempotencyKey);
      const refund = database
        .prepare("SELECT * FROM refunds WHERE charge_id = ? ORDER BY id DESC")
        .get(charge_id) as Refund;
      return success({
        refund: { id: refund.id, charge_id, amount_cents: refund.amount_cents },
        currency: charge.currency,
      });
    },
  );

  mcp.registerTool(
    "reply_to_ticket",
    {
      description: "Answers the customer and closes the ticket.",
      inputSchema: z.object({ ticket_id: z.string(), text: z.string() }),
    },
    ({ ticket_id, text }) => {
      const { changes } = database.prepare("UPDATE tickets SET status = 'closed' WHERE id = ?").run(ticket_id);
      if (changes === 0) return failure(`There is no ticket ${ticket_id}.`);
      database
        .prepare("INSERT INTO replies (ticket_id, text, idempotency_key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .run(ticket_id, text, idempotencyKey);
      return success({ closed: ticket_id });
    },
  );
  return mcp;
}

const success = (value: Record<string, unknown>) => ({
  content: [{ type: "text" as const, text: JSON.stringify(value) }],
  structuredContent: value,
});

const failure = (text: string) => ({ content: [{ type: "text" as const, text }], isError: true });

function authorized(request: Request): boolean {
  const [scheme, presented = ""] = (request.headers.get("authorization") ?? "").split(" ");
  return scheme?.toLowerCase() === "bearer" && timingSafeEqual(digest(presented), token);
}

const refuse = (): Response =>
  new Response("A bearer token of the ticket system is required.", {
    status: 401,
    headers: { "www-authenticate": "Bearer" },
  });

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set.`);
  return value;
}
