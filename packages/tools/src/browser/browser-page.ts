import type { Clock } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { type BrowserEvents, shownUrl } from "./browser-event.ts";
import type { CdpMessage, CdpParams, CdpPipe } from "./cdp/cdp-pipe.ts";
import { PageInput } from "./page-input.ts";
import type { ElementHandle, PageFrame } from "./page-snapshot.ts";

export interface PageDialog {
  /** `alert`, `confirm`, `prompt`, `beforeunload`. */
  readonly type: string;
  readonly text: string;
}

export interface ScreencastFrame {
  readonly jpeg: Buffer;
  readonly width: number;
  readonly height: number;
}

export interface BrowserPageDeps {
  readonly pipe: CdpPipe;
  readonly targetId: string;
  readonly sessionId: string;
  readonly clock: Clock;
  readonly events: BrowserEvents;
  /** A dialog that nobody answers is dismissed after so long. */
  readonly dialogMs: number;
  onChange(): void;
  onFrame(frame: ScreencastFrame): void;
}

const FRAMES_ONLY = [{ type: "iframe", exclude: false }, { exclude: true }] as const;
const GRACE_MS = 40;
const SETTLE_MS = 10_000;
const MAX_LINE = 2_000;

/** One tab. */
export class BrowserPage {
  readonly id: string;
  readonly input: PageInput;
  readonly frame: PageFrame;
  url = "about:blank";
  title = "";
  crashed = false;
  dialog: PageDialog | undefined;
  readonly closed: Promise<void>;
  readonly #deps: BrowserPageDeps;
  readonly #frames = new Map<string, string>();
  readonly #requests = new Map<string, { readonly method: string; readonly url: string }>();
  /** Before this, a document may come without a word. */
  readonly #heard: Promise<unknown>;
  readonly #awaited = new Map<string, () => void>();
  #document = "";
  #loading = false;
  #loaded = Promise.withResolvers<void>();
  #blocked = Promise.withResolvers<string>();
  readonly #gone = Promise.withResolvers<void>();

  constructor(deps: BrowserPageDeps) {
    this.#deps = deps;
    this.closed = this.#gone.promise;
    this.id = deps.targetId;
    this.frame = this.#frameOf(deps.sessionId);
    this.input = new PageInput((method, params) => this.send(method, params));
    this.#loaded.resolve();
    deps.pipe.listen(deps.sessionId, (event) => this.#on(event));
    const enabled = [
      ["Page.enable", {}],
      ["Runtime.enable", {}],
      ["Network.enable", { maxTotalBufferSize: 0, maxResourceBufferSize: 0 }],
      ["Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: true, filter: FRAMES_ONLY }],
    ] as const;
    this.#heard = Promise.allSettled(enabled.map(([method, params]) => deps.pipe.send(method, params, deps.sessionId)));
  }

  /** Rejects at once when a dialog stands in the way, or when the page crashes or closes meanwhile. */
  send<Result = unknown>(method: string, params: CdpParams = {}): Promise<Result> {
    return this.#send<Result>(this.#deps.sessionId, method, params);
  }

  async navigate(url: string, timeoutMs: number): Promise<void> {
    this.crashed = false;
    await Promise.race([this.#heard, this.closed]);
    const { errorText, isDownload, loaderId } = await this.send<Navigation>("Page.navigate", { url });
    if (isDownload) return;
    if (errorText !== undefined && errorText !== "") {
      throw new ToolsError("TOOLS_PAGE_FAILED", `${shownUrl(url)} could not be opened: ${errorText}.`);
    }
    if (loaderId !== undefined) await this.#within(timeoutMs, this.#committed(loaderId));
    await this.settle(timeoutMs);
  }

  /** The document of this navigation is the page's: before that, whatever loads is the one before. */
  #committed(loaderId: string): Promise<void> {
    if (this.#document === loaderId) return Promise.resolve();
    return new Promise((resolve) => this.#awaited.set(loaderId, resolve));
  }

  /** Ends early when a dialog stands in the way, or the page crashes or closes. */
  async #within(timeoutMs: number, done: Promise<void>): Promise<void> {
    const enough = new AbortController();
    const late = this.#deps.clock.sleep(timeoutMs, { signal: enough.signal }).catch(() => {});
    await Promise.race([done, this.#blocked.promise, late]);
    enough.abort();
  }

  /** Waits for what an action set in motion: a document that loads, up to a limit. */
  async settle(timeoutMs: number = SETTLE_MS): Promise<void> {
    await this.#deps.clock.sleep(GRACE_MS);
    if (this.#loading) await this.#within(timeoutMs, this.#loaded.promise);
    await this.#look();
  }

  /** Asks the browser, not the page: a page that hangs still has an address and a title. */
  async #look(): Promise<void> {
    const { sessionId, pipe } = this.#deps;
    const history = await pipe.send<History>("Page.getNavigationHistory", {}, sessionId).catch(() => undefined);
    const entry = history?.entries[history.currentIndex];
    if (entry === undefined) return;
    this.url = entry.url;
    this.title = entry.title;
    this.#deps.onChange();
  }

  /** Along the page's own history, or the same page anew. */
  async step(direction: "back" | "forward" | "reload"): Promise<void> {
    if (direction === "reload") await this.send("Page.reload");
    else {
      const { currentIndex, entries } = await this.send<History>("Page.getNavigationHistory");
      const entry = entries[currentIndex + (direction === "back" ? -1 : 1)];
      if (entry === undefined) throw new ToolsError("TOOLS_PAGE_FAILED", `There is no page to go ${direction} to.`);
      await this.send("Page.navigateToHistoryEntry", { entryId: entry.id });
    }
    await this.settle();
  }

  async answerDialog(accept: boolean, text?: string): Promise<void> {
    if (this.dialog === undefined) throw new ToolsError("TOOLS_PAGE_FAILED", "No dialog is open.");
    const params = { accept, ...(text === undefined ? {} : { promptText: text }) };
    await this.#deps.pipe.send("Page.handleJavaScriptDialog", params, this.#deps.sessionId);
  }

  gone(): void {
    this.#gone.resolve();
    this.#deps.pipe.forget(this.#deps.sessionId);
    for (const session of this.#frames.values()) this.#deps.pipe.forget(session);
    this.dialog = undefined;
    this.#blocked.resolve("The page was closed.");
    this.#loaded.resolve();
  }

  #frameOf(sessionId: string, owner?: ElementHandle): PageFrame {
    return {
      ...(owner === undefined ? {} : { owner }),
      send: <Result>(method: string, params: CdpParams = {}) => this.#send<Result>(sessionId, method, params),
      child: (frameId, element) => {
        const session = this.#frames.get(frameId);
        return session === undefined ? undefined : this.#frameOf(session, element);
      },
    };
  }

  async #send<Result>(sessionId: string, method: string, params: CdpParams): Promise<Result> {
    if (this.crashed && method !== "Page.navigate") {
      throw new ToolsError("TOOLS_PAGE_FAILED", "The page has crashed: open it again, or another.");
    }
    const done = this.#deps.pipe.send<Result>(method, params, sessionId);
    done.catch(() => {});
    const outcome = await Promise.race([done.then((result) => ({ result })), this.#blocked.promise]);
    if (typeof outcome === "string") throw new ToolsError("TOOLS_PAGE_FAILED", outcome);
    return outcome.result;
  }

  #on({ method = "", params = {} }: CdpMessage): void {
    const handle = this.#handlers[method];
    if (handle !== undefined) handle(params as never);
  }

  readonly #handlers: Readonly<Record<string, (params: never) => void>> = {
    "Target.attachedToTarget": ({ sessionId, targetInfo }: Attached) => {
      this.#frames.set(targetInfo.targetId, sessionId);
      this.#deps.pipe.listen(sessionId, (event) => {
        if (event.method === "Target.attachedToTarget") this.#on(event);
      });
      const params = { autoAttach: true, waitForDebuggerOnStart: false, flatten: true, filter: FRAMES_ONLY };
      this.#deps.pipe.send("Target.setAutoAttach", params, sessionId).catch(() => {});
    },
    "Target.detachedFromTarget": ({ sessionId }: { readonly sessionId: string }) => {
      this.#deps.pipe.forget(sessionId);
      for (const [frameId, session] of this.#frames) if (session === sessionId) this.#frames.delete(frameId);
    },
    "Page.frameNavigated": ({ frame }: { readonly frame: Frame }) => {
      if (frame.parentId !== undefined) return;
      this.url = frame.url;
      this.#document = frame.loaderId;
      this.#awaited.get(frame.loaderId)?.();
      this.#awaited.delete(frame.loaderId);
      this.#deps.events.emit({ kind: "navigation", page: this.id, url: shownUrl(frame.url) });
      this.#deps.onChange();
    },
    "Page.frameStartedLoading": ({ frameId }: { readonly frameId: string }) => {
      if (frameId !== this.id || this.#loading) return;
      this.#loading = true;
      this.#loaded = Promise.withResolvers();
    },
    "Page.frameStoppedLoading": ({ frameId }: { readonly frameId: string }) => {
      if (frameId !== this.id) return;
      this.#loading = false;
      this.#loaded.resolve();
      void this.#look();
    },
    "Page.screencastFrame": ({ data, sessionId, metadata }: Screencast) => {
      this.#deps.pipe.send("Page.screencastFrameAck", { sessionId }, this.#deps.sessionId).catch(() => {});
      const { deviceWidth, deviceHeight } = metadata;
      this.#deps.onFrame({ jpeg: Buffer.from(data, "base64"), width: deviceWidth, height: deviceHeight });
    },
    "Page.javascriptDialogOpening": ({ type, message }: { readonly type: string; readonly message: string }) => {
      this.dialog = { type, text: message.slice(0, MAX_LINE) };
      this.#deps.events.emit({ kind: "dialog", page: this.id, ...this.dialog });
      this.#blocked.resolve(`A dialog is open (${type}): answer it first.`);
      this.#deps.onChange();
      const { dialog } = this;
      void this.#deps.clock.sleep(this.#deps.dialogMs).then(() => {
        if (this.dialog === dialog) return this.answerDialog(type === "beforeunload").catch(() => {});
      });
    },
    "Page.javascriptDialogClosed": ({ result }: { readonly result: boolean }) => {
      const { type = "alert", text = "" } = this.dialog ?? {};
      this.dialog = undefined;
      this.#blocked = Promise.withResolvers();
      const answer = result ? "accepted" : "dismissed";
      this.#deps.events.emit({ kind: "dialog", page: this.id, type, text, answer });
      this.#deps.onChange();
    },
    "Inspector.targetCrashed": () => {
      this.crashed = true;
      this.#loading = false;
      this.#loaded.resolve();
      this.#blocked.resolve("The page has crashed: open it again, or another.");
      this.#blocked = Promise.withResolvers();
      this.#deps.events.emit({ kind: "page", page: this.id, change: "crashed" });
      this.#deps.onChange();
    },
    "Runtime.consoleAPICalled": ({ type, args }: Console) => {
      const said = args.map(({ value, description }) => (value === undefined ? (description ?? "") : String(value)));
      const text = said.join(" ").slice(0, MAX_LINE);
      this.#deps.events.emit({ kind: "console", page: this.id, level: type, text });
    },
    "Runtime.exceptionThrown": ({ exceptionDetails }: Exception) => {
      const text = (exceptionDetails.exception?.description ?? exceptionDetails.text).slice(0, MAX_LINE);
      this.#deps.events.emit({ kind: "console", page: this.id, level: "exception", text });
    },
    "Network.requestWillBeSent": ({ requestId, request }: Request) => {
      if (this.#requests.size > 1_000) this.#requests.clear();
      this.#requests.set(requestId, { method: request.method, url: shownUrl(request.url) });
    },
    "Network.responseReceived": ({ requestId, response }: Response) => {
      const request = this.#requests.get(requestId);
      this.#requests.delete(requestId);
      if (request === undefined) return;
      this.#deps.events.emit({ kind: "network", page: this.id, ...request, status: response.status });
    },
    "Network.loadingFailed": ({ requestId, errorText }: { readonly requestId: string; readonly errorText: string }) => {
      const request = this.#requests.get(requestId);
      this.#requests.delete(requestId);
      if (request === undefined) return;
      this.#deps.events.emit({ kind: "network", page: this.id, ...request, failure: errorText });
    },
  };
}

interface Navigation {
  readonly errorText?: string;
  readonly isDownload?: boolean;
  /** Absent where the page stays and only its address changes. */
  readonly loaderId?: string;
}

interface Frame {
  readonly parentId?: string;
  readonly url: string;
  readonly loaderId: string;
}

interface History {
  readonly currentIndex: number;
  readonly entries: readonly { readonly id: number; readonly url: string; readonly title: string }[];
}
interface Attached {
  readonly sessionId: string;
  readonly targetInfo: { readonly targetId: string };
}
interface Screencast {
  readonly data: string;
  readonly sessionId: number;
  readonly metadata: { readonly deviceWidth: number; readonly deviceHeight: number };
}
interface Console {
  readonly type: string;
  readonly args: readonly { readonly value?: unknown; readonly description?: string }[];
}
interface Exception {
  readonly exceptionDetails: { readonly text: string; readonly exception?: { readonly description?: string } };
}
interface Request {
  readonly requestId: string;
  readonly request: { readonly method: string; readonly url: string };
}
interface Response {
  readonly requestId: string;
  readonly response: { readonly status: number };
}
