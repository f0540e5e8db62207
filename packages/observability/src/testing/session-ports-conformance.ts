import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import type { SessionControl } from "../session-control.ts";
import type { SessionReader } from "../session-reader.ts";
import type { TestFunction } from "./suite.ts";

const context: CallContext = { principal: { tenant: "acme" } };
const stranger: CallContext = { principal: { tenant: "globex" } };
const kind = (expected: string) => (error: unknown) => (error as { kind?: unknown }).kind === expected;

export interface SessionReaderConformanceOptions {
  readonly test: TestFunction;
  /** A reader over at least three sessions of tenant `acme`, the first of `sessions` with at least five events, and none of `globex`. */
  createReader(): Promise<{
    readonly reader: SessionReader;
    readonly sessions: readonly string[];
    close?(): Promise<void>;
  }>;
}

/** The law of `SessionReader`, for whoever provides sessions. */
export function sessionReaderConformance({ test, createReader }: SessionReaderConformanceOptions): void {
  const law = (name: string, body: (reader: SessionReader, sessions: readonly string[]) => Promise<void>): void => {
    test(`SessionReader: ${name}`, async () => {
      const { reader, sessions, close } = await createReader();
      try {
        await body(reader, sessions);
      } finally {
        await close?.();
      }
    });
  };

  law("lists every session once, newest first, in pages", async (reader, sessions) => {
    const seen: { readonly id: string; readonly startedAt: number }[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await reader.list(context, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      assert.ok(page.items.length <= 2);
      seen.push(...page.items);
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    assert.deepEqual(seen.map(({ id }) => id).sort(), [...sessions].sort());
    const starts = seen.map(({ startedAt }) => startedAt);
    assert.deepEqual(
      starts,
      [...starts].sort((a, b) => b - a),
    );
    assert.ok(
      starts.every((at) => at > Date.UTC(2020, 0, 1)),
      "startedAt is in epoch milliseconds",
    );
  });

  law("gives events in order without gaps, above `after`, in pages", async (reader, [session = ""]) => {
    const { items: first, cursor } = await reader.events(context, session, { limit: 2 });
    assert.deepEqual(
      first.map(({ seq }) => seq),
      [1, 2],
    );
    assert.notEqual(cursor, undefined);
    const { items: next } = await reader.events(context, session, { after: 2, limit: 3 });
    assert.deepEqual(
      next.map(({ seq }) => seq),
      [3, 4, 5],
    );
    assert.ok([...first, ...next].every((event) => event.session === session && event.tenant === "acme"));
    const { items: none } = await reader.events(context, session, { after: 1_000_000 });
    assert.deepEqual(none, []);
  });

  law("shows nothing of another tenant", async (reader, [session = ""]) => {
    assert.deepEqual((await reader.list(stranger, {})).items, []);
    await assert.rejects(reader.events(stranger, session), kind("not_found"));
    await assert.rejects(reader.events(context, "ses_none"), kind("not_found"));
  });
}

export interface SessionControlConformanceOptions {
  readonly test: TestFunction;
  /** A session of tenant `acme` with at least two events that waits for an answer to `request`. */
  createControl(): Promise<{
    readonly control: SessionControl;
    readonly session: string;
    readonly request: string;
    close?(): Promise<void>;
  }>;
}

/** The law of `SessionControl`, for whoever runs sessions. */
export function sessionControlConformance({ test, createControl }: SessionControlConformanceOptions): void {
  const law = (
    name: string,
    body: (control: SessionControl, session: string, request: string) => Promise<void>,
  ): void => {
    test(`SessionControl: ${name}`, async () => {
      const { control, session, request, close } = await createControl();
      try {
        await body(control, session, request);
      } finally {
        await close?.();
      }
    });
  };

  law("takes the first of two answers and refuses the second", async (control, session, request) => {
    await control.answer(context, session, request, { allow: true });
    await assert.rejects(control.answer(context, session, request, { allow: false }), kind("conflict"));
  });

  law("kills a session once", async (control, session) => {
    await control.kill(context, session);
    await assert.rejects(control.kill(context, session), kind("conflict"));
  });

  law("forks into another session", async (control, session) => {
    const { id } = await control.fork(context, session, { afterSeq: 2, effects: "recorded" });
    assert.notEqual(id, session);
  });

  law("does nothing to another tenant's session", async (control, session, request) => {
    await assert.rejects(control.kill(stranger, session), kind("not_found"));
    await assert.rejects(control.answer(stranger, session, request, { allow: true }), kind("not_found"));
    await assert.rejects(control.fork(stranger, session, { afterSeq: 1, effects: "recorded" }), kind("not_found"));
    await control.answer(context, session, request, { allow: true });
  });
}
