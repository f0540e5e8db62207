import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Gateway } from "../gateway.ts";
import type { SocketAcceptance, SocketChannel } from "../socket.ts";

/** Messages that were received and not yet taken; more are left on the wire. */
const MAX_WAITING = 16;

/**
 * Makes a Node server take WebSockets for a gateway, which says to each request yes or no. Requests that are not the
 * gateway's are left alone where `owns` says so. Peers that stop answering are cut after two heartbeats.
 */
export function acceptSockets(
  server: Server,
  gateway: Pick<Gateway, "upgrade">,
  {
    owns = () => true,
    heartbeatMs = 30_000,
  }: { readonly owns?: (path: string) => boolean; readonly heartbeatMs?: number } = {},
): void {
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!owns(incoming.url ?? "/")) return;
    socket.on("error", () => socket.destroy());
    upgrade(gateway, incoming, socket, head, heartbeatMs).catch(() => socket.destroy());
  });
}

async function upgrade(
  gateway: Pick<Gateway, "upgrade">,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  heartbeatMs: number,
): Promise<void> {
  const { remoteAddress } = incoming.socket;
  const answer = await gateway.upgrade(requestOf(incoming), remoteAddress === undefined ? {} : { remoteAddress });
  if (answer instanceof Response) return refuse(socket, answer);
  const upgrading = new WebSocketServer({
    noServer: true,
    maxPayload: answer.maxMessageBytes,
    perMessageDeflate: false,
    clientTracking: false,
  });
  upgrading.handleUpgrade(incoming, socket, head, (opened) => void converse(opened, answer, heartbeatMs));
}

async function converse(socket: WebSocket, acceptance: SocketAcceptance, heartbeatMs: number): Promise<void> {
  let heard = true;
  const beat = setInterval(() => {
    if (!heard) return socket.terminate();
    heard = false;
    socket.ping();
  }, heartbeatMs);
  beat.unref();
  socket.on("pong", () => {
    heard = true;
  });
  socket.on("close", () => clearInterval(beat));
  socket.on("error", () => socket.terminate());
  await acceptance.run(channelOf(socket));
}

function channelOf(socket: WebSocket): SocketChannel {
  const waiting: string[] = [];
  let wake = () => {};
  let open = true;
  socket.on("message", (data, binary) => {
    if (binary) return socket.close(1003, "Text only.");
    waiting.push(String(data));
    if (waiting.length >= MAX_WAITING) socket.pause();
    wake();
  });
  socket.on("close", () => {
    open = false;
    wake();
  });
  return {
    messages: {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const message = waiting.shift();
          if (message !== undefined) {
            if (socket.isPaused && waiting.length === 0) socket.resume();
            yield message;
          } else if (open) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          } else return;
        }
      },
    },
    send: (text) => new Promise((resolve) => socket.send(text, () => resolve())),
    close: (code, reason) => socket.close(code, reason.slice(0, 100)),
  };
}

function requestOf({ method = "GET", url = "/", headers }: IncomingMessage): Request {
  const given = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (/^(connection|upgrade|sec-websocket-)/.test(name)) continue;
    for (const each of [value ?? []].flat()) given.append(name, each);
  }
  return new Request(new URL(url, `http://${headers.host ?? "localhost"}`), { method, headers: given });
}

async function refuse(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const lines = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`];
  for (const [name, value] of response.headers) lines.push(`${name}: ${value}`);
  lines.push(`content-length: ${body.length}`, "connection: close", "", "");
  socket.end(Buffer.concat([Buffer.from(lines.join("\r\n")), body]));
}
