/** What happened in a session, without what people typed and without the queries of addresses. */
export type BrowserEvent =
  /** Something the agent or a person did; `detail` never holds text that was typed. */
  | { readonly kind: "action"; readonly by: "agent" | "person"; readonly name: string; readonly detail: string }
  | { readonly kind: "page"; readonly page: string; readonly change: "opened" | "closed" | "crashed" | "refused" }
  | { readonly kind: "navigation"; readonly page: string; readonly url: string }
  | { readonly kind: "console"; readonly page: string; readonly level: string; readonly text: string }
  | {
      readonly kind: "network";
      readonly page: string;
      readonly method: string;
      readonly url: string;
      /** Absent when there was no answer: `failure` says why. */
      readonly status?: number;
      readonly failure?: string;
    }
  | {
      readonly kind: "dialog";
      readonly page: string;
      readonly type: string;
      readonly text: string;
      readonly answer?: string;
    }
  | {
      readonly kind: "download";
      readonly file: string;
      readonly state: "started" | "completed" | "canceled";
      readonly bytes: number;
      readonly reason?: string;
    }
  | { readonly kind: "control"; readonly holder?: string }
  | { readonly kind: "ended"; readonly reason: string };

type Listener = (event: BrowserEvent) => void;

export class BrowserEvents {
  readonly #listeners = new Set<Listener>();

  emit(event: BrowserEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {}
    }
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** An address as it may be kept: names and passwords, the query and the fragment can be secrets. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return url.slice(0, 200);
  const { protocol, host, pathname } = new URL(url);
  if (protocol === "http:" || protocol === "https:") return `${protocol}//${host}${pathname}`.slice(0, 500);
  return `${protocol}${protocol === "about:" ? pathname : "…"}`;
}
