import { z } from "zod";
import type { CallContext } from "../dialect.ts";
import { ObservabilityError } from "../errors.ts";
import type { Permissions } from "../permissions.ts";
import type { SessionControl } from "../session-control.ts";

const bodies = {
  kill: z.strictObject({}),
  check: z.strictObject({}),
  fork: z.strictObject({ afterSeq: z.number().int().nonnegative() }),
  answer: z.strictObject({
    request: z.string().min(1).max(256),
    allow: z.boolean(),
    message: z.string().max(4000).optional(),
  }),
} as const;

interface Action {
  readonly session: string;
  readonly action: string;
  readonly control: SessionControl | undefined;
  readonly permissions: Permissions | undefined;
}

/** Fork, check, kill and answer. Only a page of the same origin can send the header that is asked for. */
export async function act(
  request: Request,
  context: CallContext,
  { session, action, control, permissions }: Action,
): Promise<Response> {
  const site = request.headers.get("sec-fetch-site");
  if (request.headers.get("x-ashlar-console") !== "1" || (site !== null && site !== "same-origin")) {
    throw new ObservabilityError("OBSERVABILITY_DENIED", "Actions are taken from the console's own page only.");
  }
  if (!(action in bodies)) throw new ObservabilityError("OBSERVABILITY_NOT_FOUND", "There is no such action.");
  if (control === undefined || permissions === undefined)
    throw new ObservabilityError("OBSERVABILITY_DENIED", "This console only shows.");
  const text = await request.text();
  const parsed = bodies[action as keyof typeof bodies].safeParse(text.length > 16_384 ? undefined : parse(text));
  if (!parsed.success)
    throw new ObservabilityError("OBSERVABILITY_INVALID", `The action ${action} was not understood.`);
  const { effect, reason } = await permissions.decide(context, { action: `session.${action}`, resource: session });
  if (effect !== "allow") throw new ObservabilityError("OBSERVABILITY_DENIED", `You may not do this: ${reason}`);
  if (action === "check") {
    if (control.check === undefined)
      throw new ObservabilityError("OBSERVABILITY_NOT_FOUND", "Nothing here can check a session.");
    return Response.json(await control.check(context, session));
  }
  if (action === "kill") await control.kill(context, session);
  if (action === "fork") {
    const { afterSeq } = parsed.data as z.infer<typeof bodies.fork>;
    return Response.json(await control.fork(context, session, { afterSeq, effects: "recorded" }));
  }
  if (action === "answer") {
    const { request: asked, allow, message } = parsed.data as z.infer<typeof bodies.answer>;
    await control.answer(context, session, asked, { allow, ...(message === undefined ? {} : { message }) });
  }
  return Response.json({});
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text || "{}");
  } catch {
    return undefined;
  }
}
