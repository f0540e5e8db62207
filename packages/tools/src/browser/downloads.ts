import type { SandboxFiles } from "../sandbox-files.ts";
import type { BrowserEvents } from "./browser-event.ts";
import type { CdpPipe } from "./cdp/cdp-pipe.ts";

/** Below the sandbox's workspace. */
export const DOWNLOADS = "downloads";

export interface Download {
  /** In the sandbox's files, once `state` is `completed`. */
  readonly path: string;
  readonly state: "started" | "completed" | "canceled";
  readonly bytes: number;
}

export interface DownloadsDeps {
  readonly pipe: CdpPipe;
  readonly files: SandboxFiles;
  readonly events: BrowserEvents;
  /** Absolute folder inside that `DOWNLOADS` names. */
  readonly folder: string;
  /** Of all downloads of the session together: what goes beyond is cancelled. */
  readonly maxBytes: number;
}

/** Downloads go into the sandbox's own files, under the name that the site gave, made harmless. */
export class Downloads {
  readonly #deps: DownloadsDeps;
  readonly #known = new Map<string, Download>();
  readonly #settled = new Set<Promise<void>>();

  constructor(deps: DownloadsDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const params = { behavior: "allowAndName", downloadPath: this.#deps.folder, eventsEnabled: true };
    await this.#deps.pipe.send("Browser.setDownloadBehavior", params);
  }

  /** Waits for those that have ended to be in their place. */
  async list(): Promise<readonly Download[]> {
    await Promise.all(this.#settled);
    return [...this.#known.values()];
  }

  on(method: string, params: unknown): void {
    if (method === "Browser.downloadWillBegin") this.#begin(params as { guid: string; suggestedFilename: string });
    else if (method === "Browser.downloadProgress") this.#progress(params as Progress);
  }

  #begin({ guid, suggestedFilename }: { readonly guid: string; readonly suggestedFilename: string }): void {
    const path = this.#free(safeName(suggestedFilename));
    this.#known.set(guid, { path, state: "started", bytes: 0 });
    this.#deps.events.emit({ kind: "download", file: path, state: "started", bytes: 0 });
  }

  #progress({ guid, receivedBytes, state }: Progress): void {
    const known = this.#known.get(guid);
    if (known === undefined || known.state !== "started") return;
    this.#known.set(guid, { ...known, bytes: receivedBytes });
    const total = [...this.#known.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const tooLarge = total > this.#deps.maxBytes;
    if (state === "inProgress" && !tooLarge) return;
    if (state === "inProgress") this.#deps.pipe.send("Browser.cancelDownload", { guid }).catch(() => {});
    const ended = state === "completed" && !tooLarge ? "completed" : "canceled";
    this.#known.set(guid, { ...known, bytes: receivedBytes, state: ended });
    const settled = this.#settle(guid, known.path, ended).catch(() => {});
    this.#settled.add(settled);
    void settled.then(() => this.#settled.delete(settled));
    const reason = tooLarge ? { reason: `more than ${this.#deps.maxBytes} bytes` } : {};
    this.#deps.events.emit({ kind: "download", file: known.path, state: ended, bytes: receivedBytes, ...reason });
  }

  async #settle(guid: string, path: string, state: "completed" | "canceled"): Promise<void> {
    if (!/^[\w-]+$/.test(guid)) return;
    const from = `${DOWNLOADS}/${guid}`;
    if (state === "completed") await this.#deps.files.move(from, path);
    else await this.#deps.files.remove(from);
  }

  #free(name: string): string {
    const taken = new Set([...this.#known.values()].map(({ path }) => path));
    const dot = name.lastIndexOf(".");
    const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    let path = `${DOWNLOADS}/${name}`;
    for (let count = 2; taken.has(path); count++) path = `${DOWNLOADS}/${stem} (${count})${extension}`;
    return path;
  }
}

interface Progress {
  readonly guid: string;
  readonly receivedBytes: number;
  readonly state: "inProgress" | "completed" | "canceled";
}

function safeName(suggested: string): string {
  const last = suggested.split(/[\\/]/).at(-1) ?? "";
  const bare = last
    .replace(/[\p{Cc}\p{Cf}]/gu, "")
    .replace(/^\.+/, "")
    .slice(0, 150)
    .trim();
  return bare === "" ? "download" : bare;
}
