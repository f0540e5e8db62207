import type { CallContext, Catalog, CatalogEntry, SessionRecord, SessionStatus, StreamedEvent } from "../index.ts";
import type { Desk } from "./desk.ts";

export async function listSessions({ runtime, context, options, print }: Desk): Promise<void> {
  const { status, agent } = options;
  for await (const record of all({ runtime, context }, status, agent)) {
    const when = new Date(record.createdAt).toISOString();
    print(record, `${record.id}  ${record.status.padEnd(8)} ${record.agent}@${record.agentVersion}  ${when}`);
  }
}

export async function show({ runtime, context, operand, print }: Desk): Promise<void> {
  const record = await runtime.sessions.get(context, operand(0, "session"));
  print(record, JSON.stringify(record, null, 2));
}

export async function tail({ runtime, context, options, operand, print }: Desk): Promise<void> {
  const after = whole(options.after ?? "0");
  const events = runtime.sessions.events(context, operand(0, "session"), { after, snapshot: false });
  for await (const event of events) print(event, line(event));
}

export async function kill({ runtime, context, operand, print }: Desk): Promise<void> {
  const session = operand(0, "session");
  await runtime.sessions.kill(context, session);
  print({ killed: session }, `${session} is killed.`);
}

export async function approve({ runtime, context, options, operand, print }: Desk): Promise<void> {
  const [session, request] = [operand(0, "session"), operand(1, "request")];
  const answer = { allow: !options.deny, ...(options.message === undefined ? {} : { message: options.message }) };
  await runtime.sessions.answer(context, session, request, answer);
  print({ session, request, ...answer }, `${request} is ${answer.allow ? "allowed" : "denied"}.`);
}

export async function fork({ runtime, context, options, operand, print }: Desk): Promise<void> {
  if (options.after === undefined) throw new Error("After which event? Give --after SEQ.");
  const effects = options.live ? "live" : "recorded";
  const { id } = await runtime.sessions.fork(context, operand(0, "session"), {
    afterSeq: whole(options.after),
    effects,
  });
  print({ id, effects }, id);
}

export async function agents({ runtime, catalog, context, print }: Desk): Promise<void> {
  const counts = new Map<string, AgentLine>();
  for await (const { name, version, body } of catalogued(catalog, context)) {
    const { description } = (body ?? {}) as { readonly description?: unknown };
    const said = typeof description === "string" ? { description } : {};
    counts.set(`${name}@${version}`, { name, version: String(version), ...said, sessions: 0 });
  }
  for await (const { agent: name, agentVersion: version } of all({ runtime, context })) {
    const known = counts.get(`${name}@${version}`) ?? { name, version, sessions: 0 };
    counts.set(`${name}@${version}`, { ...known, sessions: known.sessions + 1 });
  }
  for (const [key, line] of [...counts].sort(([one], [other]) => (one < other ? -1 : 1))) {
    print(line, `${key}  ${line.sessions} sessions${line.description === undefined ? "" : `  ${line.description}`}`);
  }
}

interface AgentLine {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly sessions: number;
}

async function* catalogued(catalog: Catalog, context: CallContext): AsyncGenerator<CatalogEntry> {
  for (let cursor: string | undefined; ; ) {
    const page = await catalog.list(context, "agent", cursor === undefined ? {} : { cursor });
    yield* page.items;
    cursor = page.cursor;
    if (cursor === undefined) return;
  }
}

async function* all(
  { runtime, context }: Pick<Desk, "runtime" | "context">,
  status?: string,
  agent?: string,
): AsyncGenerator<SessionRecord> {
  for (let cursor: string | undefined; ; ) {
    const page = await runtime.sessions.find(context, {
      ...(status === undefined ? {} : { status: status as SessionStatus }),
      ...(agent === undefined ? {} : { agent }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.items;
    cursor = page.cursor;
    if (cursor === undefined) return;
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${text} is no event's number.`);
  return value;
}

function line(event: StreamedEvent): string {
  const at = "at" in event ? new Date(event.at).toISOString() : "";
  const step = "step" in event && event.step !== undefined ? ` ${event.step}` : "";
  const body = event.body === undefined ? "" : ` ${JSON.stringify(event.body)}`;
  return `${String(event.seq ?? "").padStart(6)} ${at} ${event.type}${step}${body}`.slice(0, 400);
}
