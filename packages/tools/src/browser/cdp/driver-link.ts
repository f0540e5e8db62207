import type { RawData, WebSocket } from "ws";
import { shownUrl } from "../browser-event.ts";
import type { BrowserSession } from "../browser-session.ts";
import { DOWNLOADS } from "../downloads.ts";
import type { CdpMessage, CdpParams } from "./cdp-pipe.ts";
import { isHousekeeping, judge } from "./method-filter.ts";

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: CdpParams;
  readonly sessionId?: string;
}

const MAX_WAITING = 1_000;
const MAX_BUFFERED = 64 * 1024 * 1024;
const NO_SESSION = -32_001;
const NOT_OFFERED = -32_601;
const INVALID = -32_600;

/**
 * One driver on a session. It sees a browser of its own: a session on the browser target is its root, and only
 * sessions that came from there are its to speak to, so that it and the session's own work stay out of each other's way.
 */
export class DriverLink {
  readonly closed: Promise<void>;
  readonly #session: BrowserSession;
  readonly #socket: WebSocket;
  readonly #root: string;
  readonly #mine = new Set<string>();
  #waiting: Request[] = [];

  private constructor(session: BrowserSession, socket: WebSocket, root: string) {
    this.#session = session;
    this.#socket = socket;
    this.#root = root;
    this.#own(root);
    socket.on("message", (data) => this.#receive(data));
    const unsubscribe = session.control.onChange((holder) => {
      if (holder === undefined) this.#resume();
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        unsubscribe();
        for (const id of this.#mine) session.pipe.forget(id);
        session.pipe.send("Target.detachFromTarget", { sessionId: root }).catch(() => {});
        resolve();
      });
    });
    void session.closed.then(() => socket.close(1011, "The browser has ended."));
  }

  static async open(session: BrowserSession, socket: WebSocket): Promise<DriverLink> {
    // A driver speaks as soon as it is connected.
    const early: RawData[] = [];
    const keep = (data: RawData): void => void early.push(data);
    socket.on("message", keep);
    const { sessionId } = await session.pipe.send<{ readonly sessionId: string }>("Target.attachToBrowserTarget");
    const link = new DriverLink(session, socket, sessionId);
    socket.off("message", keep);
    for (const data of early) link.#receive(data);
    return link;
  }

  #receive(data: RawData): void {
    const request = parse(data);
    if (request === undefined) {
      this.#say({ error: { code: INVALID, message: "A message is {id, method, params?, sessionId?}." } });
      return;
    }
    if (this.#session.control.holder !== undefined && !isHousekeeping(request.method)) {
      this.#waiting.push(request);
      if (this.#waiting.length > MAX_WAITING)
        this.#socket.close(1008, "Too many commands wait for the person in control.");
      return;
    }
    this.#relay(request);
  }

  #resume(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [at, request] of waiting.entries()) {
      if (this.#session.control.holder !== undefined) {
        this.#waiting = [...waiting.slice(at), ...this.#waiting];
        return;
      }
      this.#relay(request);
    }
  }

  #relay({ id, method, params, sessionId = this.#root }: Request): void {
    const answered = (reply: CdpMessage): void => {
      const { result, error } = reply;
      const outcome = error === undefined ? { result: result ?? {} } : { error };
      this.#say({ id, ...outcome, ...(sessionId === this.#root ? {} : { sessionId }) });
    };
    const refuse = (code: number, message: string): void => answered({ error: { code, message } });
    if (!this.#mine.has(sessionId)) {
      refuse(NO_SESSION, "Session with given id not found.");
      return;
    }
    const verdict = judge(method, params, `${this.#session.sandbox.workspace}/${DOWNLOADS}`);
    if ("refused" in verdict) {
      refuse(NOT_OFFERED, `${method} was refused: ${verdict.refused}.`);
      return;
    }
    const detail = actionOf(method, params);
    if (detail !== undefined) this.#session.events.emit({ kind: "action", by: "agent", name: method, detail });
    this.#session.pipe.post({ method, params: verdict.params, sessionId }, answered);
  }

  #own(sessionId: string): void {
    this.#mine.add(sessionId);
    this.#session.pipe.listen(sessionId, (event) => {
      const { sessionId: other } = (event.params ?? {}) as { readonly sessionId?: unknown };
      if (event.method === "Target.attachedToTarget" && typeof other === "string") this.#own(other);
      const { sessionId: _, ...bare } = event;
      this.#say(sessionId === this.#root ? bare : event);
      if (event.method === "Target.detachedFromTarget" && typeof other === "string") this.#disown(other);
    });
  }

  #disown(sessionId: string): void {
    if (sessionId === this.#root || !this.#mine.delete(sessionId)) return;
    this.#session.pipe.forget(sessionId);
  }

  #say(message: object): void {
    if (this.#socket.bufferedAmount > MAX_BUFFERED) this.#socket.terminate();
    else this.#socket.send(JSON.stringify(message));
  }
}

/** What of a driver's commands is kept in the log, without what was typed; `undefined` for the rest. */
function actionOf(method: string, { url, type, x, y }: CdpParams): string | undefined {
  if (method === "Page.navigate" || method === "Target.createTarget") return shownUrl(String(url));
  if (method === "Input.dispatchMouseEvent") return type === "mousePressed" ? `${x}, ${y}` : undefined;
  if (method === "Input.dispatchKeyEvent") return type === "keyUp" ? undefined : "";
  return ACTIONS.has(method) ? "" : undefined;
}

const ACTIONS = new Set(
  "Input.insertText Page.reload Page.navigateToHistoryEntry Page.handleJavaScriptDialog DOM.setFileInputFiles Target.closeTarget".split(
    " ",
  ),
);

function parse(data: RawData): Request | undefined {
  try {
    const { id, method, params = {}, sessionId } = JSON.parse(String(data));
    if (!Number.isInteger(id) || typeof method !== "string" || typeof params !== "object" || params === null) return;
    if (sessionId === undefined) return { id, method, params };
    return typeof sessionId === "string" ? { id, method, params, sessionId } : undefined;
  } catch {
    return undefined;
  }
}
