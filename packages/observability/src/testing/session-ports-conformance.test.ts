import { test } from "vitest";
import { InMemorySessions } from "./in-memory-sessions.ts";
import { sessionEventFixture } from "./session-event-fixture.ts";
import { sessionControlConformance, sessionReaderConformance } from "./session-ports-conformance.ts";

function recorded() {
  const sessions = new InMemorySessions();
  for (const number of [1, 2, 3]) {
    const id = `ses_${number}`;
    sessions.add(
      { id, agent: "a", status: "waiting", startedAt: Date.UTC(2026, 0, number), activeMs: 5 },
      Array.from({ length: 6 }, (_, index) => sessionEventFixture({ session: id, seq: index + 1 })),
    );
  }
  return sessions;
}

sessionReaderConformance({
  test,
  createReader: async () => ({ reader: recorded(), sessions: ["ses_1", "ses_2", "ses_3"] }),
});
sessionControlConformance({
  test,
  createControl: async () => ({ control: recorded(), session: "ses_1", request: "apr_1" }),
});
