import { type Clock, type Principal, systemClock } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { inSpan } from "../internal/spans.ts";
import type { Sandbox } from "../sandbox.ts";
import type { SandboxFiles } from "../sandbox-files.ts";
import { BrowserEvents, shownUrl } from "./browser-event.ts";
import type { BrowserPage, PageDialog } from "./browser-page.ts";
import { BrowserPages } from "./browser-pages.ts";
import { type BrowserSpec, DEFAULT_VIEWPORT } from "./browser-spec.ts";
import type { CdpPipe } from "./cdp/cdp-pipe.ts";
import type { Viewport } from "./chromium.ts";
import { ControlLease } from "./control-lease.ts";
import { DOWNLOADS, type Download, Downloads } from "./downloads.ts";
import { callOn, gone, pointOf } from "./element.ts";
import { webAddress } from "./page-address.ts";
import type { MouseButton, PageInput, Point } from "./page-input.ts";
import { type ElementHandle, type NamedElement, takeSnapshot } from "./page-snapshot.ts";
import { Screencast } from "./screencast.ts";

export interface ActOptions {
  readonly signal?: AbortSignal;
}

export interface PageState {
  readonly id: string;
  readonly url: string;
  readonly title: string;
  readonly front: boolean;
  readonly crashed: boolean;
}

export interface BrowserSessionDeps {
  readonly id: string;
  readonly principal: Principal;
  readonly sandbox: Sandbox;
  readonly pipe: CdpPipe;
  readonly spec: BrowserSpec;
  readonly clock?: Clock;
  /** Called once before the browser ends in good order. */
  beforeClose?(): Promise<void>;
  /** Called once after the end; `close` waits for it. */
  afterClose?(): Promise<void>;
}

const NAVIGATION_MS = 30_000;

/**
 * One browser: a process tree of its own in a sandbox of its own, for one principal. What an agent does goes through
 * the methods here, one after another, and waits while a person is in control. After the end every method rejects with
 * `TOOLS_CLOSED`, or with `TOOLS_SANDBOX_DIED` when the browser ended by itself.
 */
export class BrowserSession implements AsyncDisposable {
  readonly id: string;
  readonly principal: Principal;
  readonly viewport: Viewport;
  readonly control: ControlLease;
  readonly events: BrowserEvents = new BrowserEvents();
  readonly screencast: Screencast;
  readonly closed: Promise<{ readonly reason: string }>;
  /** @internal */
  readonly pipe: CdpPipe;
  /** @internal */
  readonly pages: BrowserPages;
  readonly #deps: BrowserSessionDeps;
  readonly #downloads: Downloads;
  readonly #changes = new Set<() => void>();
  #elements: ReadonlyMap<string, NamedElement> = new Map();
  #queue: Promise<unknown> = Promise.resolve();
  #dead: ToolsError | undefined;
  #closing: Promise<void> | undefined;

  constructor(deps: BrowserSessionDeps) {
    const { id, principal, sandbox, pipe, spec, clock = systemClock } = deps;
    this.#deps = deps;
    this.id = id;
    this.principal = principal;
    this.pipe = pipe;
    this.viewport = spec.viewport ?? DEFAULT_VIEWPORT;
    this.control = new ControlLease({ clock });
    this.screencast = new Screencast(this.viewport);
    this.pages = new BrowserPages({
      ...{ pipe, clock, events: this.events, dialogMs: spec.dialogMs ?? 10_000, maxPages: spec.maxPages ?? 16 },
      onChange: () => this.#changed(),
      onFrame: (page, frame) => this.screencast.frame(page, frame),
    });
    this.#downloads = new Downloads({
      ...{ pipe, files: sandbox.files, events: this.events, folder: `${sandbox.workspace}/${DOWNLOADS}` },
      maxBytes: spec.maxDownloadBytes ?? 256 * 1024 * 1024,
    });
    pipe.listen(undefined, ({ method = "", params }) => {
      this.pages.on(method, params);
      this.#downloads.on(method, params);
    });
    this.control.onChange((holder) => {
      this.events.emit({ kind: "control", ...(holder === undefined ? {} : { holder: holder.by }) });
      this.#changed();
    });
    this.closed = pipe.closed.then(async () => {
      this.#dead ??= new ToolsError("TOOLS_SANDBOX_DIED", `The browser of ${id} has ended: open another session.`);
      const reason = this.#closing === undefined ? "the browser ended by itself" : "closed";
      this.events.emit({ kind: "ended", reason });
      this.control.close();
      for (const page of this.pages.list()) page.gone();
      await sandbox.close().catch(() => {});
      return { reason };
    });
  }

  /** @internal */
  async start(): Promise<void> {
    await Promise.all([this.#downloads.start(), this.pages.start()]);
  }

  /** The sandbox's files, downloads among them. */
  get files(): SandboxFiles {
    return this.#deps.sandbox.files;
  }

  get sandbox(): Sandbox {
    return this.#deps.sandbox;
  }

  /** Called when the address, the title, the tabs, a dialog or the control changes. */
  onChange(listener: () => void): () => void {
    this.#changes.add(listener);
    return () => this.#changes.delete(listener);
  }

  list(): readonly PageState[] {
    const front = this.pages.list().length === 0 ? undefined : this.pages.front();
    return this.pages.list().map((page) => {
      const { id, url, title, crashed } = page;
      return { id, url, title, crashed, front: page === front };
    });
  }

  /** The dialog that stands in the way of the page in front. */
  dialog(): PageDialog | undefined {
    return this.pages.list().length === 0 ? undefined : this.pages.front().dialog;
  }

  downloads(): Promise<readonly Download[]> {
    return this.#downloads.list();
  }

  navigate(url: string, options: ActOptions & { readonly timeoutMs?: number } = {}): Promise<void> {
    return this.#act("navigate", shownUrl(url), options, (page) =>
      page.navigate(webAddress(url), options.timeoutMs ?? NAVIGATION_MS),
    );
  }

  /** One step in the page's own history, or the same page anew. */
  go(direction: "back" | "forward" | "reload", options: ActOptions = {}): Promise<void> {
    return this.#act(direction, "", options, (page) => page.step(direction));
  }

  openPage(url = "about:blank", options: ActOptions = {}): Promise<string> {
    return this.#alone(
      "open_page",
      shownUrl(url),
      options,
      async () => (await this.pages.open(webAddress(url), NAVIGATION_MS)).id,
    );
  }

  selectPage(id: string, options: ActOptions = {}): Promise<void> {
    return this.#alone("select_page", "", options, async () => void (await this.pages.select(id)));
  }

  closePage(id: string, options: ActOptions = {}): Promise<void> {
    return this.#alone("close_page", "", options, () => this.pages.close(id));
  }

  /** The page as text for an agent. References hold until the next snapshot; what the page says is not to be trusted. */
  snapshot(options: ActOptions = {}): Promise<string> {
    return this.#act("snapshot", "", options, async (page) => {
      const { text, elements } = await takeSnapshot(page.frame);
      this.#elements = elements;
      return text;
    });
  }

  /** PNG of the viewport, or of the whole page. */
  screenshot(options: ActOptions & { readonly fullPage?: boolean } = {}): Promise<Uint8Array> {
    return this.#act("screenshot", "", options, async (page) => {
      const params = { format: "png", captureBeyondViewport: options.fullPage ?? false, optimizeForSpeed: true };
      const { data } = await page.send<{ readonly data: string }>("Page.captureScreenshot", params);
      return Buffer.from(data, "base64");
    });
  }

  click(
    reference: string,
    options: ActOptions & { readonly button?: MouseButton; readonly clickCount?: number } = {},
  ): Promise<void> {
    return this.#on("click", reference, options, async (page, element) =>
      page.input.click(await pointOf(element), options),
    );
  }

  hover(reference: string, options: ActOptions = {}): Promise<void> {
    return this.#on("hover", reference, options, async (page, element) => page.input.move(await pointOf(element)));
  }

  /** Replaces what a field holds. */
  fill(reference: string, text: string, options: ActOptions & { readonly submit?: boolean } = {}): Promise<void> {
    return this.#on("fill", reference, options, async (page, element) => {
      await page.input.click(await pointOf(element));
      await callOn(element, "function () { this.focus(); this.select?.(); }");
      if (text === "") await page.input.press("Delete");
      else await page.input.insert(text);
      if (options.submit) await page.input.press("Enter");
    });
  }

  /** Chooses the options of a list by value or label. */
  select(reference: string, values: readonly string[], options: ActOptions = {}): Promise<void> {
    return this.#on("select", reference, options, async (_page, element) => {
      if (!(await callOn<boolean>(element, SELECT, values))) {
        throw new ToolsError("TOOLS_PAGE_FAILED", "The list has no such option.");
      }
    });
  }

  /** Gives files of the sandbox to a file field. */
  upload(reference: string, paths: readonly string[], options: ActOptions = {}): Promise<void> {
    return this.#on("upload", reference, options, async (_page, { frame, backendNodeId }) => {
      const { workspace } = this.#deps.sandbox;
      for (const path of paths) {
        if (path.startsWith("/") || path.split("/").includes("..")) {
          throw new ToolsError("TOOLS_PATH_OUTSIDE", "Files to upload are named by their path in the workspace.");
        }
      }
      await frame.send("DOM.setFileInputFiles", { backendNodeId, files: paths.map((path) => `${workspace}/${path}`) });
    });
  }

  answerDialog(accept: boolean, options: ActOptions & { readonly text?: string } = {}): Promise<void> {
    return this.#act("answer_dialog", accept ? "accepted" : "dismissed", options, async (page) => {
      await page.answerDialog(accept, options.text);
      await page.settle();
    });
  }

  /** Mouse and keyboard by coordinates, for those who see pixels; `detail` is what the recording says of it. */
  input(
    name: string,
    detail: string,
    body: (input: PageInput) => Promise<void>,
    options: ActOptions = {},
  ): Promise<void> {
    return this.#act(name, detail, options, async (page) => {
      await body(page.input);
      await page.settle();
    });
  }

  /** Throws `TOOLS_INVALID` for a point that is not inside the viewport. */
  within({ x, y }: Point): Point {
    if (x >= 0 && y >= 0 && x < this.viewport.width && y < this.viewport.height) return { x, y };
    throw new ToolsError("TOOLS_INVALID", `The viewport is ${this.viewport.width} by ${this.viewport.height} pixels.`);
  }

  /** Saves what is to be kept, ends the browser and its sandbox. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= inSpan("browser.close", { "ashlar.browser.id": this.id }, () => this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      if (this.#dead === undefined) await this.#deps.beforeClose?.();
    } finally {
      this.#dead ??= new ToolsError("TOOLS_CLOSED", `Session ${this.id} is closed: open another.`);
      await this.#deps.sandbox.close();
      await this.closed;
      await this.#deps.afterClose?.();
    }
  }

  #changed(): void {
    const front = this.pages.list().length === 0 ? undefined : this.pages.front();
    this.screencast.follow(front);
    for (const listener of this.#changes) listener();
  }

  #on(
    name: string,
    reference: string,
    options: ActOptions,
    body: (page: BrowserPage, element: ElementHandle) => Promise<void>,
  ): Promise<void> {
    const named = (): string => this.#elements.get(reference)?.label ?? reference.slice(0, 20);
    return this.#act(name, named, options, async (page) => {
      const element = this.#elements.get(reference);
      if (element === undefined) throw gone(`${reference.slice(0, 20)} is not known`);
      await body(page, element);
      await page.settle();
    });
  }

  /** A dialog that opens meanwhile ends an action well: it is what the action led to. */
  #act<Result>(
    name: string,
    detail: string | (() => string),
    options: ActOptions,
    body: (page: BrowserPage) => Promise<Result>,
  ): Promise<Result> {
    return this.#alone(name, detail, options, async () => {
      const page = this.pages.front();
      const before = page.dialog;
      try {
        return await body(page);
      } catch (error) {
        if (page.dialog === undefined || page.dialog === before) throw error;
        return undefined as Result;
      }
    });
  }

  /** One at a time, in order; who gives up while waiting hears of it at once, and the turn passes by. */
  #alone<Result>(
    name: string,
    detail: string | (() => string),
    options: ActOptions,
    body: () => Promise<Result>,
  ): Promise<Result> {
    const attributes = { "ashlar.browser.id": this.id, "ashlar.browser.action": name };
    return inSpan(`browser.action ${name}`, attributes, () => this.#inTurn(name, detail, options, body));
  }

  #inTurn<Result>(
    name: string,
    detail: string | (() => string),
    { signal }: ActOptions,
    body: () => Promise<Result>,
  ): Promise<Result> {
    const turn = this.#queue.then(async () => {
      await this.control.free(signal);
      signal?.throwIfAborted();
      if (this.#dead !== undefined) throw this.#dead;
      this.events.emit({ kind: "action", by: "agent", name, detail: typeof detail === "string" ? detail : detail() });
      return await body();
    });
    this.#queue = turn.catch(() => {});
    return signal === undefined ? turn : orAborted(turn, signal);
  }
}

async function orAborted<Result>(turn: Promise<Result>, signal: AbortSignal): Promise<Result> {
  turn.catch(() => {});
  const { promise, reject } = Promise.withResolvers<never>();
  const aborted = (): void => reject(signal.reason);
  if (signal.aborted) aborted();
  signal.addEventListener("abort", aborted, { once: true });
  try {
    return await Promise.race([turn, promise]);
  } finally {
    signal.removeEventListener("abort", aborted);
  }
}

const SELECT = `function (wanted) {
  const options = [...(this.options ?? [])];
  const chosen = options.filter((option) => wanted.includes(option.value) || wanted.includes(option.label.trim()));
  if (chosen.length === 0 || (!this.multiple && chosen.length > 1)) return false;
  for (const option of options) option.selected = chosen.includes(option);
  this.dispatchEvent(new Event("input", { bubbles: true }));
  this.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}`;
