import type { Clock } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import type { BrowserEvents } from "./browser-event.ts";
import { BrowserPage, type ScreencastFrame } from "./browser-page.ts";
import type { CdpPipe } from "./cdp/cdp-pipe.ts";

export interface BrowserPagesDeps {
  readonly pipe: CdpPipe;
  readonly clock: Clock;
  readonly events: BrowserEvents;
  readonly dialogMs: number;
  /** A page opened beyond that is closed at once. */
  readonly maxPages: number;
  onChange(): void;
  onFrame(page: BrowserPage, frame: ScreencastFrame): void;
}

interface TargetInfo {
  readonly targetId: string;
  readonly type: string;
  readonly title: string;
  readonly url: string;
}

const PAGES_ONLY = [{ type: "page", exclude: false }, { exclude: true }] as const;

/** The tabs of one browser, however they came to be opened; one of them is in front. */
export class BrowserPages {
  readonly #deps: BrowserPagesDeps;
  readonly #pages = new Map<string, Promise<BrowserPage>>();
  readonly #open: BrowserPage[] = [];
  #front: BrowserPage | undefined;

  constructor(deps: BrowserPagesDeps) {
    this.#deps = deps;
  }

  /** Takes an event of the browser itself. */
  on(method: string, params: unknown): void {
    if (method === "Target.targetCreated") this.#created((params as { readonly targetInfo: TargetInfo }).targetInfo);
    else if (method === "Target.targetInfoChanged")
      this.#changed((params as { readonly targetInfo: TargetInfo }).targetInfo);
    else if (method === "Target.targetDestroyed") this.#destroyed((params as { readonly targetId: string }).targetId);
  }

  /** Resolves with the first page. */
  async start(): Promise<void> {
    await this.#deps.pipe.send("Target.setDiscoverTargets", { discover: true, filter: PAGES_ONLY });
    if (this.#pages.size === 0) await this.#deps.pipe.send("Target.createTarget", { url: "about:blank" });
    const [first] = this.#pages.values();
    await first;
  }

  list(): readonly BrowserPage[] {
    return this.#open;
  }

  front(): BrowserPage {
    if (this.#front !== undefined) return this.#front;
    throw new ToolsError("TOOLS_PAGE_FAILED", "No page is open: open one.");
  }

  get(id: string): BrowserPage {
    const page = this.#open.find((each) => each.id === id);
    if (page !== undefined) return page;
    throw new ToolsError("TOOLS_PAGE_FAILED", `There is no page ${id.slice(0, 60)}: list the pages.`);
  }

  async open(url: string, timeoutMs: number): Promise<BrowserPage> {
    if (this.#open.length >= this.#deps.maxPages) {
      throw new ToolsError("TOOLS_LIMIT_EXCEEDED", `${this.#deps.maxPages} pages are open: close one first.`);
    }
    const { targetId } = await this.#deps.pipe.send<{ readonly targetId: string }>("Target.createTarget", {
      url: "about:blank",
    });
    const page = await this.#pages.get(targetId);
    if (page === undefined) throw new ToolsError("TOOLS_PAGE_FAILED", "The new page was closed at once.");
    if (url !== "about:blank") await page.navigate(url, timeoutMs);
    return page;
  }

  async select(id: string): Promise<BrowserPage> {
    const page = this.get(id);
    await this.#deps.pipe.send("Target.activateTarget", { targetId: id });
    this.#toFront(page);
    return page;
  }

  /** Resolves when the page is gone and another is in front. */
  async close(id: string): Promise<void> {
    const page = this.get(id);
    await this.#deps.pipe.send("Target.closeTarget", { targetId: id });
    await Promise.race([page.closed, this.#deps.pipe.closed]);
  }

  #created({ targetId, type, url, title }: TargetInfo): void {
    if (type !== "page" || this.#pages.has(targetId)) return;
    if (this.#pages.size >= this.#deps.maxPages) {
      this.#deps.events.emit({ kind: "page", page: targetId, change: "refused" });
      this.#deps.pipe.send("Target.closeTarget", { targetId }).catch(() => {});
      return;
    }
    const attached = this.#attach(targetId).then((page) => {
      page.url = url;
      page.title = title;
      this.#open.push(page);
      this.#deps.events.emit({ kind: "page", page: targetId, change: "opened" });
      this.#toFront(page);
      return page;
    });
    attached.catch(() => this.#pages.delete(targetId));
    this.#pages.set(targetId, attached);
  }

  async #attach(targetId: string): Promise<BrowserPage> {
    const { sessionId } = await this.#deps.pipe.send<{ readonly sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    const { pipe, clock, events, dialogMs, onChange, onFrame } = this.#deps;
    const page: BrowserPage = new BrowserPage({
      ...{ pipe, targetId, sessionId, clock, events, dialogMs, onChange },
      onFrame: (frame) => onFrame(page, frame),
    });
    return page;
  }

  #changed({ targetId, url, title }: TargetInfo): void {
    const page = this.#open.find((each) => each.id === targetId);
    if (page === undefined) return;
    page.url = url;
    page.title = title;
    this.#deps.onChange();
  }

  #destroyed(targetId: string): void {
    this.#pages.delete(targetId);
    const at = this.#open.findIndex((each) => each.id === targetId);
    const [page] = at < 0 ? [] : this.#open.splice(at, 1);
    if (page === undefined) return;
    page.gone();
    this.#deps.events.emit({ kind: "page", page: targetId, change: "closed" });
    if (this.#front === page) this.#front = this.#open.at(-1);
    this.#deps.onChange();
  }

  #toFront(page: BrowserPage): void {
    this.#front = page;
    this.#deps.onChange();
  }
}
