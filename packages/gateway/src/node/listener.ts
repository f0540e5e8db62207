import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { type Answer, toAnswer } from "../answer.ts";
import type { Gateway } from "../gateway.ts";
import { problemAnswer, problemOf } from "../http/problem.ts";
import { ABORT, type NodeRequest, nodeRequest, TAKEN } from "./node-request.ts";

/** Up to here a text, which Node writes together with the headers, costs less than bytes, which it writes apart. */
const SMALL = 4096;

/** How long the rest of a body that nobody wanted is taken in, so that its sender gets to read the answer. */
const REST_MS = 500;

/** What is served: a `Gateway`, or anything with its `fetch`. */
export type Served = Pick<Gateway, "fetch"> & Partial<Pick<Gateway, "answer">>;

/** A gateway as a listener for Node's `request` event; in Express and the like, before any body parser. */
export function nodeListener(gateway: Served): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  return (incoming, outgoing) => {
    const request = nodeRequest(incoming);
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) request[ABORT](new Error("The caller has gone."));
    });
    answerOf(gateway, request, incoming).then(
      (answer) => write(answer, incoming, outgoing, request),
      () => outgoing.destroy(),
    );
  };
}

async function answerOf(gateway: Served, request: NodeRequest, incoming: IncomingMessage): Promise<Answer> {
  try {
    const { remoteAddress } = incoming.socket;
    const headerNames = Object.keys(incoming.headers);
    const connection = remoteAddress === undefined ? { headerNames } : { headerNames, remoteAddress };
    if (gateway.answer !== undefined) return await gateway.answer(request, connection);
    return toAnswer(await gateway.fetch(request, connection));
  } catch (error) {
    return problemAnswer(problemOf(error));
  }
}

function write(
  { status, headers, body }: Answer,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  request: NodeRequest,
): void {
  if (!incoming.complete && !request[TAKEN]) discard(incoming, outgoing);
  if (body instanceof ReadableStream) {
    outgoing.writeHead(status, headers);
    outgoing.flushHeaders();
    pipeline(Readable.fromWeb(body as never), outgoing, () => {});
    return;
  }
  if (body !== null) headers["content-length"] = String(Buffer.byteLength(body));
  outgoing.writeHead(status, headers);
  if (body === null) outgoing.end();
  else if (typeof body === "string" || body.byteLength > SMALL) outgoing.end(body);
  else outgoing.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"), "latin1");
}

function discard(incoming: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.shouldKeepAlive = false;
  incoming.resume();
  setTimeout(() => incoming.complete || incoming.destroy(), REST_MS).unref();
}
