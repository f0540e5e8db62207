/** The stateful half: each client of 2025-11-25 keeps one server, whose streams can be taken up again. */
import { randomUUID } from "node:crypto";
import {
  type EventStore,
  type JSONRPCMessage,
  type McpServer,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";

export class Sessions {
  readonly #build: () => McpServer;
  readonly #transports = new Map<string, WebStandardStreamableHTTPServerTransport>();

  constructor(build: () => McpServer) {
    this.#build = build;
  }

  async handle(request: Request): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    const known = id === null ? undefined : this.#transports.get(id);
    if (known !== undefined) return known.handleRequest(request);
    if (id !== null) return new Response(null, { status: 404 });
    const transport: WebStandardStreamableHTTPServerTransport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (session) => void this.#transports.set(session, transport),
      onsessionclosed: (session) => void this.#transports.delete(session),
      eventStore: events(),
      retryInterval: 500,
    });
    await this.#build().connect(transport);
    return transport.handleRequest(request);
  }
}

function events(): EventStore {
  const kept: { readonly id: string; readonly stream: string; readonly message: JSONRPCMessage }[] = [];
  return {
    async storeEvent(stream, message) {
      const id = `${stream}/${kept.length}`;
      kept.push({ id, stream, message });
      return id;
    },
    async getStreamIdForEventId(id) {
      return kept.find((event) => event.id === id)?.stream;
    },
    async replayEventsAfter(last, { send }) {
      const from = kept.findIndex(({ id }) => id === last);
      const stream = kept[from]?.stream ?? "";
      for (const event of kept.slice(from + 1)) if (event.stream === stream) await send(event.id, event.message);
      return stream;
    },
  };
}
