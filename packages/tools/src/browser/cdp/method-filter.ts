import { isWebAddress } from "../page-address.ts";
import type { CdpParams } from "./cdp-pipe.ts";

export type Verdict = { readonly params: CdpParams } | { readonly refused: string };

type Check = (params: CdpParams, folder: string) => Verdict;

/** Domains that work on pages and nothing else. */
const PAGE_DOMAINS = new Set(
  "Accessibility Audits CacheStorage Console CSS Debugger DOM DOMDebugger DOMSnapshot DOMStorage Emulation Fetch IndexedDB Input Inspector Log Network Overlay Page Performance PerformanceTimeline Profiler Runtime Security ServiceWorker WebAudio WebAuthn".split(
    " ",
  ),
);
/** Of domains that reach further, what drivers need. */
const METHODS = new Set(
  `Browser.cancelDownload Browser.getVersion Browser.getWindowBounds Browser.getWindowForTarget Browser.grantPermissions
  Browser.resetPermissions Browser.setPermission Browser.setWindowBounds HeapProfiler.collectGarbage IO.close IO.read
  Schema.getDomains Storage.clearCookies Storage.clearDataForOrigin Storage.clearDataForStorageKey Storage.getCookies
  Storage.getStorageKey Storage.getUsageAndQuota Storage.setCookies Target.activateTarget Target.attachToBrowserTarget
  Target.attachToTarget Target.closeTarget Target.detachFromTarget Target.disposeBrowserContext
  Target.getBrowserContexts Target.getTargetInfo Target.getTargets Target.setAutoAttach Target.setDiscoverTargets`.split(
    /\s+/,
  ),
);
/** What would end the session for all, or read files. */
const REFUSED = new Set(["Page.crash", "DOM.getFileInfo", "Network.loadNetworkResource", "Page.setWebLifecycleState"]);

const opened: Check = (params) =>
  params.url === undefined || params.url === "" || (typeof params.url === "string" && isWebAddress(params.url))
    ? { params }
    : { refused: "only http: and https: addresses can be opened" };

const CHECKS: Readonly<Record<string, Check>> = {
  "Page.navigate": opened,
  "Target.createTarget": opened,
  "Fetch.continueRequest": opened,
  "Target.createBrowserContext": (params) => {
    const { proxyServer, proxyBypassList, originsWithUniversalNetworkAccess } = params;
    return proxyServer === undefined && proxyBypassList === undefined && originsWithUniversalNetworkAccess === undefined
      ? { params }
      : { refused: "the way out of a session is set when it is opened" };
  },
  "Browser.setDownloadBehavior": (params, folder) => intoFolder(params, folder),
  "Page.setDownloadBehavior": (params, folder) => intoFolder(params, folder),
  "DOM.setFileInputFiles": (params, folder) => {
    const workspace = folder.slice(0, folder.lastIndexOf("/") + 1);
    const files: readonly unknown[] = Array.isArray(params.files) ? params.files : [];
    const inside = files.every(
      (file) => typeof file === "string" && file.startsWith(workspace) && !file.split("/").includes(".."),
    );
    return inside ? { params } : { refused: `only files below ${workspace} can be given to a page` };
  },
};

/** Wherever a driver wants downloads to go, they go into the session's files. */
function intoFolder(params: CdpParams, folder: string): Verdict {
  const { downloadPath: _, ...rest } = params;
  const behavior = params.behavior === "allow" ? "allowAndName" : params.behavior;
  return { params: behavior === "deny" ? rest : { ...rest, behavior, downloadPath: folder } };
}

/** What a driver may say to the browser; everything that is not named here is refused. `folder` is for downloads. */
export function judge(method: string, params: CdpParams, folder: string): Verdict {
  const domain = method.slice(0, method.indexOf("."));
  const check = CHECKS[method];
  if (check !== undefined) return check(params, folder);
  if (REFUSED.has(method) || !(PAGE_DOMAINS.has(domain) || METHODS.has(method))) {
    return { refused: "this method is not offered" };
  }
  return { params };
}

const HOUSEKEEPING = new Set(
  `Browser.getVersion Target.setAutoAttach Target.setDiscoverTargets Target.getTargetInfo Target.getTargets
  Target.detachFromTarget Runtime.runIfWaitingForDebugger Page.createIsolatedWorld Page.getFrameTree
  Page.setLifecycleEventsEnabled Page.addScriptToEvaluateOnNewDocument Page.removeScriptToEvaluateOnNewDocument
  Page.setInterceptFileChooserDialog Page.screencastFrameAck Runtime.addBinding Runtime.releaseObject
  Fetch.continueRequest Fetch.continueResponse Fetch.continueWithAuth Fetch.failRequest Fetch.fulfillRequest`.split(
    /\s+/,
  ),
);

/** What keeps pages alive and neither acts nor looks: it goes on while a person is in control. */
export function isHousekeeping(method: string): boolean {
  return HOUSEKEEPING.has(method) || method.endsWith(".enable") || method.endsWith(".disable");
}
