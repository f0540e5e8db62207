import type { BrowserPage, ScreencastFrame } from "./browser-page.ts";
import type { Viewport } from "./chromium.ts";

const QUALITY = 70;

/** Pictures of the page in front, for as many as watch; none are made while nobody does. */
export class Screencast {
  readonly #viewport: Viewport;
  readonly #watchers = new Set<(frame: ScreencastFrame) => void>();
  #page: BrowserPage | undefined;
  #last: ScreencastFrame | undefined;

  constructor(viewport: Viewport) {
    this.#viewport = viewport;
  }

  /** Begins with the last picture where there is one. A page only makes a picture when something changed. */
  watch(watcher: (frame: ScreencastFrame) => void): () => void {
    this.#watchers.add(watcher);
    if (this.#last !== undefined) watcher(this.#last);
    if (this.#watchers.size === 1) this.#start();
    return () => {
      if (!this.#watchers.delete(watcher) || this.#watchers.size > 0) return;
      this.#last = undefined;
      this.#stop(this.#page);
    };
  }

  follow(page: BrowserPage | undefined): void {
    if (page === this.#page) return;
    const before = this.#page;
    this.#page = page;
    if (this.#watchers.size === 0) return;
    this.#stop(before);
    this.#start();
  }

  frame(page: BrowserPage, frame: ScreencastFrame): void {
    if (page !== this.#page || this.#watchers.size === 0) return;
    this.#last = frame;
    for (const watcher of this.#watchers) watcher(frame);
  }

  #start(): void {
    const { width, height } = this.#viewport;
    const params = { format: "jpeg", quality: QUALITY, maxWidth: width, maxHeight: height };
    this.#page?.send("Page.startScreencast", params).catch(() => {});
  }

  #stop(page: BrowserPage | undefined): void {
    page?.send("Page.stopScreencast").catch(() => {});
  }
}
