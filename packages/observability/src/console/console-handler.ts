import type { CallContext, Clock, KindedError, Principal } from "../dialect.ts";
import { systemClock } from "../dialect.ts";
import type { Permissions } from "../permissions.ts";
import type { Pricing } from "../pricing.ts";
import type { SessionControl } from "../session-control.ts";
import type { SessionReader } from "../session-reader.ts";
import type { TraceStore } from "../trace-store.ts";
import { act } from "./actions.ts";
import { liveEvents } from "./live-events.ts";
import { sessionSpans } from "./session-spans.ts";
import { comparedEvaluations, comparedSessions, type EvaluatedVersion } from "./side-by-side.ts";
import { page } from "./static-page.ts";

export interface ConsoleHandlerOptions {
  readonly reader: SessionReader;
  /** Who looks: only sessions of this principal's tenant are shown. `undefined` is answered with 401. */
  authenticate(request: Request): Promise<Principal | undefined>;
  /** With `permissions`: fork, check, kill, approve and deny. Without either the console only shows. */
  readonly control?: SessionControl;
  /** Asked before each action: `session.kill`, `session.fork`, `session.check`, `session.answer` on the session. Only `allow` lets it happen. */
  readonly permissions?: Permissions;
  readonly traces?: TraceStore;
  readonly pricing?: Pricing;
  /** Evaluations of the caller's tenant by version, oldest first, to be shown side by side. */
  readonly evaluations?: (context: CallContext) => Promise<readonly EvaluatedVersion[]>;
  /** Where it is mounted. `/console` when absent. */
  readonly path?: string;
  /** Between two looks for new events in a live view. 500 when absent. */
  readonly liveEveryMs?: number;
  readonly clock?: Clock;
}

/** The console page and its data, as one fetch handler. Answers 404 outside its path. */
export function consoleHandler(options: ConsoleHandlerOptions): (request: Request) => Promise<Response> {
  const {
    reader,
    authenticate,
    control,
    permissions,
    traces,
    pricing,
    evaluations,
    path = "/console",
    liveEveryMs = 500,
    clock = systemClock,
  } = options;
  return async (request) => {
    const url = new URL(request.url);
    if (url.pathname !== path && !url.pathname.startsWith(`${path}/`)) return problem(404, "There is nothing here.");
    try {
      const principal = await authenticate(request);
      if (principal === undefined) return problem(401, "Sign in to use the console.");
      const context: CallContext = { principal, signal: request.signal };
      const [api, kind, id, view] = url.pathname
        .slice(path.length + 1)
        .split("/")
        .map(decodeURIComponent);
      if (api !== "api") return await page(request, api ?? "", path);
      if (kind === "me")
        return json({
          actions: control !== undefined && permissions !== undefined,
          check: control?.check !== undefined,
          traces: traces !== undefined,
          evaluations: evaluations !== undefined,
        });
      if (kind === "compare") return json(await comparedSessions(context, reader, url.searchParams));
      if (kind === "evaluations")
        return json(comparedEvaluations((await evaluations?.(context)) ?? [], url.searchParams));
      if (kind !== "sessions") return problem(404, "There is nothing here.");
      if (id === undefined) {
        const status = url.searchParams.get("status");
        const agent = url.searchParams.get("agent");
        const cursor = url.searchParams.get("cursor");
        const limit = wholeNumber(url.searchParams.get("limit"), 100);
        return json(
          await reader.list(context, {
            limit,
            ...(status ? { status } : {}),
            ...(agent ? { agent } : {}),
            ...(cursor ? { cursor } : {}),
          }),
        );
      }
      if (request.method === "POST")
        return await act(request, context, { session: id, action: view ?? "", control, permissions });
      const after = wholeNumber(url.searchParams.get("after"), 0);
      if (view === "events")
        return json(
          await reader.events(context, id, { after, limit: wholeNumber(url.searchParams.get("limit"), 1000) }),
        );
      if (view === "live")
        return await liveEvents(context, {
          reader,
          session: id,
          after: wholeNumber(request.headers.get("last-event-id"), after),
          clock,
          everyMs: liveEveryMs,
        });
      if (view === "spans")
        return json(
          traces === undefined
            ? { spans: [], cut: false }
            : await sessionSpans(context, { traces, session: id, ...(pricing === undefined ? {} : { pricing }) }),
        );
      return problem(404, "There is nothing here.");
    } catch (error) {
      return fromError(error);
    }
  };
}

const wholeNumber = (text: string | null, usual: number): number =>
  text !== null && /^\d{1,9}$/.test(text) ? Number(text) : usual;

const json = (value: unknown): Response =>
  Response.json(value, { headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" } });

const problem = (status: number, message: string): Response => Response.json({ message }, { status });

const statuses = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  not_found: 404,
  conflict: 409,
  limited: 429,
  unavailable: 503,
  cancelled: 499,
  internal: 500,
} as const;

function fromError(error: unknown): Response {
  const { kind, message } = error as Partial<KindedError>;
  if (kind === undefined || kind === "internal") return problem(500, "The server failed. Its log says why.");
  return problem(statuses[kind] ?? 500, message ?? kind);
}
