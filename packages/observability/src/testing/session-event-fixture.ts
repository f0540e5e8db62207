import type { SessionEvent } from "../session-event.ts";

/** One event of a session's log with the given parts; the rest is made up, alike each time. */
export function sessionEventFixture(parts: Partial<SessionEvent> = {}): SessionEvent {
  const seq = parts.seq ?? 1;
  return {
    tenant: "acme",
    session: "ses_1",
    seq,
    id: `evt_${seq}`,
    type: "message.user",
    at: Date.UTC(2026, 0, 1) + seq * 100,
    fence: "1:a",
    schemaVersion: 1,
    ...parts,
  };
}
