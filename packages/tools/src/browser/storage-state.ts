import * as z from "zod";
import { ToolsError } from "../errors.ts";
import type { BrowserSession } from "./browser-session.ts";
import type { CdpPipe } from "./cdp/cdp-pipe.ts";

/** What a site left in a browser: cookies, and local storage by origin. */
export interface StorageState {
  readonly version: 1;
  /** As the browser gives them. */
  readonly cookies: readonly Cookie[];
  readonly origins: readonly { readonly origin: string; readonly items: readonly (readonly [string, string])[] }[];
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly [key: string]: unknown;
}

const state: z.ZodType<StorageState> = z.object({
  version: z.literal(1),
  cookies: z.array(z.looseObject({ name: z.string(), value: z.string(), domain: z.string() })),
  origins: z.array(z.object({ origin: z.string(), items: z.array(z.tuple([z.string(), z.string()])) })),
});

const MAX_ORIGINS = 200;
const EMPTY = Buffer.from("<!doctype html>").toString("base64");

export function readState(bytes: Uint8Array): StorageState {
  try {
    return state.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (error) {
    throw new ToolsError("TOOLS_INVALID", "The profile cannot be read: it was written by something else.", {
      cause: error,
    });
  }
}

/** Takes what the browser holds now: for the origins that its pages had open, and those that it had before. */
export async function takeState(session: BrowserSession, known: readonly string[]): Promise<StorageState> {
  const { pipe } = session;
  // The page that looks is none of the session's.
  await pipe.send("Target.setDiscoverTargets", { discover: false });
  const { cookies } = await pipe.send<{ readonly cookies: readonly Cookie[] }>("Storage.getCookies");
  const origins: StorageState["origins"][number][] = [];
  if (known.length > 0) {
    await withOrigins(pipe, async (visit) => {
      for (const origin of known.slice(0, MAX_ORIGINS)) {
        const items = await visit<[string, string][]>(origin, "JSON.stringify(Object.entries(localStorage))");
        if (items.length > 0) origins.push({ origin, items });
      }
    });
  }
  return { version: 1, cookies, origins };
}

export async function putState(session: BrowserSession, { cookies, origins }: StorageState): Promise<void> {
  const { pipe } = session;
  if (cookies.length > 0) await pipe.send("Storage.setCookies", { cookies: cookies.map(settable) });
  if (origins.length === 0) return;
  await withOrigins(pipe, async (visit) => {
    for (const { origin, items } of origins) {
      await visit(origin, `for (const [key, value] of ${JSON.stringify(items)}) localStorage.setItem(key, value); "1"`);
    }
  });
}

/** A hidden page that is at each origin without asking its server: every request in it is answered here. */
async function withOrigins(
  pipe: CdpPipe,
  body: (visit: <Result>(origin: string, expression: string) => Promise<Result>) => Promise<void>,
): Promise<void> {
  const { targetId } = await pipe.send<{ readonly targetId: string }>("Target.createTarget", {
    ...{ url: "about:blank", background: true, hidden: true },
  });
  const { sessionId } = await pipe.send<{ readonly sessionId: string }>("Target.attachToTarget", {
    ...{ targetId, flatten: true },
  });
  let loaded = Promise.withResolvers<void>();
  pipe.listen(sessionId, ({ method, params }) => {
    if (method === "Page.loadEventFired") loaded.resolve();
    if (method !== "Fetch.requestPaused") return;
    const answer = { requestId: params?.requestId, responseCode: 200, body: EMPTY };
    pipe
      .send(
        "Fetch.fulfillRequest",
        { ...answer, responseHeaders: [{ name: "content-type", value: "text/html" }] },
        sessionId,
      )
      .catch(() => {});
  });
  try {
    await pipe.send("Fetch.enable", { patterns: [{ urlPattern: "*" }] }, sessionId);
    await pipe.send("Page.enable", {}, sessionId);
    await body(async <Result>(origin: string, expression: string) => {
      loaded = Promise.withResolvers();
      await pipe.send("Page.navigate", { url: `${origin}/` }, sessionId);
      await Promise.race([loaded.promise, pipe.closed]);
      const { result } = await pipe.send<{ readonly result: { readonly value?: string } }>(
        "Runtime.evaluate",
        { expression, returnByValue: true },
        sessionId,
      );
      return JSON.parse(result.value ?? "[]") as Result;
    });
  } finally {
    pipe.forget(sessionId);
    await pipe.send("Target.closeTarget", { targetId }).catch(() => {});
  }
}

const SETTABLE = [
  "name",
  "value",
  "domain",
  "path",
  "secure",
  "httpOnly",
  "sameSite",
  "expires",
  "priority",
  "partitionKey",
];

/** What `getCookies` gives, without what `setCookies` does not take; a cookie of the session has no end. */
function settable(cookie: Cookie): Record<string, unknown> {
  const kept = Object.entries(cookie).filter(([name]) => SETTABLE.includes(name));
  return Object.fromEntries(kept.filter(([name, value]) => name !== "expires" || Number(value) > 0));
}
