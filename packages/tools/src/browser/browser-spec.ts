import type { NetworkPolicy } from "../network-policy.ts";
import type { SandboxLimits } from "../sandbox-spec.ts";
import type { BrowserProgram, Viewport } from "./chromium.ts";

export interface BrowserSpec {
  /** Default `chromium`. */
  readonly program?: BrowserProgram;
  /** Default 1456 by 819. */
  readonly viewport?: Viewport;
  /** What pages may reach, through the egress proxy of the backend. Default none. */
  readonly network?: NetworkPolicy;
  /** Of the whole browser: default 2048 MiB, 2 processors, 1024 processes and threads, 1024 MiB of files. */
  readonly limits?: SandboxLimits;
  /** Tabs at a time; what a page opens beyond is closed at once. Default 16. */
  readonly maxPages?: number;
  /** Of all downloads together. Default 256 MiB. */
  readonly maxDownloadBytes?: number;
  /** A dialog that nobody answers is dismissed after so long. Default 10 seconds. */
  readonly dialogMs?: number;
  /** Cookies and local storage by this name: opened at the start, sealed and saved at `close`. */
  readonly profile?: string;
  /** Keeps what the screen showed and what was done, by the session's id. Default false. */
  readonly record?: boolean;
  /** Files beside the browser's own, as in a sandbox: restored before the first page and saved at `close`. */
  readonly workspace?: string;
}

export const DEFAULT_VIEWPORT: Viewport = { width: 1456, height: 819 };
export const DEFAULT_LIMITS: SandboxLimits = { memoryMiB: 2048, cpus: 2, processes: 1024, diskMiB: 1024 };
