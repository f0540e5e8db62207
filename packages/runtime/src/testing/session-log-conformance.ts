import assert from "node:assert/strict";
import type { CallContext, Clock, IdSource } from "../dialect.ts";
import { EVENT_SCHEMA_VERSION, type NewEvent } from "../session-event.ts";
import type { NewSession, SessionLog } from "../session-log.ts";
import { ManualClock, SequentialIds } from "./manual-clock.ts";
import type { TestFunction } from "./suite.ts";

export interface SessionLogConformance {
  readonly test: TestFunction;
  /** An empty log on this clock. A log that keeps its own time (a server's) says so with `ownTime`. */
  createLog(deps: { readonly clock: Clock; readonly ids: IdSource }): SessionLog | Promise<SessionLog>;
  /** The log does not follow the given clock: laws that move time are run with short real waits. */
  readonly ownTime?: boolean;
}

const acme: CallContext = { principal: { tenant: "acme" } };
const other: CallContext = { principal: { tenant: "acme2" } };
let count = 0;

const event = (type: string, more: Partial<NewEvent> = {}): NewEvent => ({
  id: `evt_${++count}`,
  type,
  at: 1,
  schemaVersion: EVENT_SCHEMA_VERSION,
  ...more,
});

const session = (id: string, more: Partial<NewSession> = {}): NewSession => ({
  id,
  agent: "resolver",
  agentVersion: "1",
  status: "idle",
  metadata: {},
  state: {},
  at: 1,
  events: [event("session.created")],
  ...more,
});

const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

/** The law of `SessionLog`, for any adapter and any decorator. */
export function sessionLogConformance({ test, createLog, ownTime = false }: SessionLogConformance): void {
  const law = (
    name: string,
    body: (log: SessionLog, pass: (ms: number) => Promise<void>, clock: ManualClock) => Promise<void>,
  ) =>
    test(`session log: ${name}`, async () => {
      const clock = new ManualClock();
      const log = await createLog({ clock, ids: new SequentialIds() });
      const pass = ownTime
        ? (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms + 20))
        : (ms: number) => clock.advance(ms);
      try {
        await body(log, pass, clock);
      } finally {
        await log.close();
      }
    });

  law("a created session holds its first events in order, from seq 1", async (log) => {
    const { record, created } = await log.create(acme, session("ses_1", { events: [event("a"), event("b")] }));
    assert.equal(created, true);
    assert.equal(record.head, 2);
    assert.deepEqual(
      (await log.read(acme, "ses_1")).map(({ seq, type, tenant, session }) => ({ seq, type, tenant, session })),
      [
        { seq: 1, type: "a", tenant: "acme", session: "ses_1" },
        { seq: 2, type: "b", tenant: "acme", session: "ses_1" },
      ],
    );
  });

  law("an external id names one session per tenant and agent", async (log) => {
    const first = await log.create(acme, session("ses_1", { externalId: "T-1" }));
    const again = await log.create(acme, session("ses_2", { externalId: "T-1" }));
    assert.deepEqual([again.created, again.record.id], [false, first.record.id]);
    assert.equal((await log.create(other, session("ses_3", { externalId: "T-1" }))).created, true);
    assert.equal((await log.create(acme, session("ses_4", { externalId: "T-1", agent: "b" }))).created, true);
  });

  law("an id in use is refused", async (log) => {
    await log.create(acme, session("ses_1"));
    await assert.rejects(log.create(acme, session("ses_1")), code("RUNTIME_SESSION_EXISTS"));
    assert.equal((await log.read(acme, "ses_1")).length, 1);
  });

  law("another tenant sees nothing and changes nothing", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    assert.equal(await log.get(other, "ses_1"), undefined);
    assert.deepEqual((await log.find(other, {})).items, []);
    for (const refused of [
      () => log.read(other, "ses_1"),
      () => log.claim(other, "ses_1", { owner: "w1", from: claim.fence }),
      () => log.append(other, "ses_1", claim.fence, [event("x")]),
      () => log.deposit(other, "ses_1", event("input.x")),
      () => log.release(other, "ses_1", claim.fence, { seen: 1 }),
      () => log.saveSnapshot(other, "ses_1", claim.fence, { seq: 1, body: 1 }),
      () => log.snapshot(other, "ses_1"),
      () => log.delete(other, "ses_1"),
    ]) {
      await assert.rejects(refused(), code("RUNTIME_NOT_FOUND"));
    }
    assert.equal((await log.read(acme, "ses_1")).length, 1);
  });

  law("only the newest claim writes; an older fence is refused and leaves nothing", async (log) => {
    await log.create(acme, session("ses_1"));
    await log.renew("w1", 60_000);
    const first = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(first);
    await log.append(acme, "ses_1", first.fence, [event("a")]);
    const second = await log.claim(acme, "ses_1", { owner: "w2", from: first.fence });
    assert.ok(second);
    assert.notEqual(second.fence, first.fence);
    assert.equal(second.tookOverFrom, "w1");
    const stale = first.fence;
    await assert.rejects(log.append(acme, "ses_1", stale, [event("late")]), code("RUNTIME_FENCED"));
    await assert.rejects(
      log.append(acme, "ses_1", stale, [event("late"), event("later")], { status: "ended" }),
      code("RUNTIME_FENCED"),
    );
    await assert.rejects(log.append(acme, "ses_1", stale, [], { status: "ended" }), code("RUNTIME_FENCED"));
    await assert.rejects(log.release(acme, "ses_1", stale, { seen: 9 }), code("RUNTIME_FENCED"));
    await assert.rejects(log.saveSnapshot(acme, "ses_1", stale, { seq: 1, body: 1 }), code("RUNTIME_FENCED"));
    await log.append(acme, "ses_1", second.fence, [event("b")]);
    assert.deepEqual(
      (await log.read(acme, "ses_1")).map(({ type }) => type),
      ["session.created", "a", "b"],
    );
    assert.equal((await log.get(acme, "ses_1"))?.status, "idle");
  });

  law("a released claim no longer writes", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    await log.release(acme, "ses_1", claim.fence, { seen: 1 });
    await assert.rejects(log.append(acme, "ses_1", claim.fence, [event("late")]), code("RUNTIME_FENCED"));
  });

  law("a session in the hands of a live owner is not claimed; after its lease it is", async (log, pass) => {
    await log.create(acme, session("ses_1"));
    await log.renew("w1", 200);
    const first = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(first);
    assert.equal(await log.claim(acme, "ses_1", { owner: "w2" }), undefined);
    assert.equal(await log.claim(acme, "ses_1", { owner: "w2", from: "1:another" }), undefined);
    await pass(200);
    const second = await log.claim(acme, "ses_1", { owner: "w2" });
    assert.equal(second?.tookOverFrom, "w1");
  });

  law("expiring an owner frees what it held, at once", async (log) => {
    await log.create(acme, session("ses_1"));
    await log.renew("w1", 60_000);
    await log.claim(acme, "ses_1", { owner: "w1" });
    assert.deepEqual(
      (await log.owners()).map(({ owner }) => owner),
      ["w1"],
    );
    assert.deepEqual(await log.due({ limit: 10 }), []);
    await log.expire("w1");
    assert.deepEqual(
      (await log.due({ limit: 10 })).map(({ session }) => session),
      ["ses_1"],
    );
    assert.ok(await log.claim(acme, "ses_1", { owner: "w2" }));
  });

  law("fences of one session never repeat", async (log) => {
    await log.create(acme, session("ses_1"));
    const fences = new Set<string>();
    for (let round = 0; round < 20; round++) {
      const claim = await log.claim(acme, "ses_1", { owner: "w1" });
      assert.ok(claim);
      assert.match(claim.fence, /^\d+:.+/);
      fences.add(claim.fence);
      if (round % 2 === 0) await log.release(acme, "ses_1", claim.fence, { seen: 1 });
    }
    assert.equal(fences.size, 20);
  });

  law("of claims raced by many, one wins", async (log) => {
    await log.create(acme, session("ses_1"));
    await Promise.all(Array.from({ length: 8 }, (_, index) => log.renew(`w${index}`, 60_000)));
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, index) => log.claim(acme, "ses_1", { owner: `w${index}` })),
    );
    assert.equal(claims.filter((claim) => claim !== undefined).length, 1);
  });

  law("an idempotency key is written once and gives the first event back", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    const [first] = await log.append(acme, "ses_1", claim.fence, [event("a", { idempotencyKey: "k", body: 1 })]);
    const [again] = await log.append(acme, "ses_1", claim.fence, [event("a", { idempotencyKey: "k", body: 2 })]);
    assert.deepEqual(again, first);
    const both = await log.append(acme, "ses_1", claim.fence, [event("a", { idempotencyKey: "k" }), event("b")]);
    assert.deepEqual(
      both.map(({ seq }) => seq),
      [2, 3],
    );
    const sent = await log.deposit(acme, "ses_1", event("input.m", { idempotencyKey: "m" }));
    const repeated = await log.deposit(acme, "ses_1", event("input.m", { idempotencyKey: "m" }));
    assert.deepEqual([sent.duplicate, repeated.duplicate], [false, true]);
    assert.equal(repeated.event.seq, sent.event.seq);
    assert.equal((await log.read(acme, "ses_1")).length, 4);
  });

  law("every field of an event comes back as it went in", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    const full = event("a", {
      turn: 3,
      step: "3/charge",
      attempt: 2,
      idempotencyKey: "k",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      body: { text: "naïve \u0000 \ud83e\uddf1", list: [1, null, true] },
      blob: { key: "k", bytes: 1, sha256: "00", mediaType: "text/plain" },
    });
    await log.append(acme, "ses_1", claim.fence, [full]);
    const [read] = await log.read(acme, "ses_1", { after: 1 });
    assert.deepEqual(read, { ...full, tenant: "acme", session: "ses_1", seq: 2, fence: claim.fence });
  });

  law("reads page on from any seq", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    await log.append(
      acme,
      "ses_1",
      claim.fence,
      Array.from({ length: 9 }, (_, index) => event(`e${index}`)),
    );
    const seqs = async (after: number, limit: number) =>
      (await log.read(acme, "ses_1", { after, limit })).map(({ seq }) => seq);
    assert.deepEqual(await seqs(0, 4), [1, 2, 3, 4]);
    assert.deepEqual(await seqs(8, 4), [9, 10]);
    assert.deepEqual(await seqs(10, 4), []);
  });

  law("a change goes with its events", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    await log.append(acme, "ses_1", claim.fence, [event("session.status_running")], {
      status: "running",
      state: { turn: 1 },
      metadata: { ticket: "T-1" },
      archivedAt: 5,
    });
    const record = await log.get(acme, "ses_1");
    assert.deepEqual(
      [record?.status, record?.state, record?.metadata, record?.archivedAt],
      ["running", { turn: 1 }, { ticket: "T-1" }, 5],
    );
    await log.append(acme, "ses_1", claim.fence, [], { archivedAt: null });
    assert.equal((await log.get(acme, "ses_1"))?.archivedAt, undefined);
  });

  law("an input is taken with or without an owner, and wakes an idle session", async (log) => {
    await log.create(acme, session("ses_1"));
    assert.deepEqual(await log.due({ limit: 10 }), []);
    const { event: placed } = await log.deposit(acme, "ses_1", event("input.message"));
    assert.equal(placed.seq, 2);
    const record = await log.get(acme, "ses_1");
    assert.equal(record?.status, "queued");
    assert.notEqual(record?.wakeAt, undefined);
    assert.deepEqual(
      (await log.due({ limit: 10 })).map(({ tenant, session, agent }) => ({ tenant, session, agent })),
      [{ tenant: "acme", session: "ses_1", agent: "resolver" }],
    );
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    assert.equal((await log.deposit(acme, "ses_1", event("input.message"))).event.seq, 3);
  });

  law("an input that must not wake leaves the session as it was", async (log) => {
    await log.create(acme, session("ses_1"));
    await log.deposit(acme, "ses_1", event("input.note"), { wake: false });
    const record = await log.get(acme, "ses_1");
    assert.deepEqual([record?.status, record?.wakeAt, record?.head], ["idle", undefined, 2]);
  });

  law("a release past an input that was not seen keeps the session awake", async (log) => {
    await log.create(acme, session("ses_1"));
    await log.renew("w1", 60_000);
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    await log.append(acme, "ses_1", claim.fence, [event("session.status_idle")], { status: "idle" });
    await log.deposit(acme, "ses_1", event("input.message"));
    assert.deepEqual(await log.release(acme, "ses_1", claim.fence, { seen: 2 }), { woken: true });
    assert.equal((await log.due({ limit: 10 })).length, 1);
    assert.equal((await log.get(acme, "ses_1"))?.status, "queued");
    const next = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(next);
    assert.deepEqual(await log.release(acme, "ses_1", next.fence, { seen: 3 }), { woken: false });
    assert.deepEqual(await log.due({ limit: 10 }), []);
  });

  law(
    "an append that releases gives the claim up, and an input that was not seen keeps the session awake",
    async (log) => {
      await log.create(acme, session("ses_1"));
      const rest = async (seen: number) => {
        const claim = await log.claim(acme, "ses_1", { owner: "w1" });
        assert.ok(claim);
        const idle = { status: "idle", release: { seen } } as const;
        const [placed] = await log.append(acme, "ses_1", claim.fence, [event("session.status_idle")], idle);
        const { status, owner, wakeAt } = (await log.get(acme, "ses_1")) ?? {};
        assert.equal(owner, undefined);
        await assert.rejects(log.append(acme, "ses_1", claim.fence, [event("late")]), code("RUNTIME_FENCED"));
        return [placed?.seq, status, wakeAt !== undefined];
      };
      assert.deepEqual(await rest(1), [2, "idle", false]);
      await log.deposit(acme, "ses_1", event("input.message"));
      assert.deepEqual(await rest(2), [4, "queued", true]);
      assert.deepEqual(await rest(3), [5, "idle", false]);
    },
  );

  law("a wake in the future is due when its time has come", async (log, pass, clock) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    const wakeAt = (ownTime ? Date.now() : clock.now()) + 300;
    await log.release(acme, "ses_1", claim.fence, { seen: 1, wakeAt });
    assert.deepEqual(await log.due({ limit: 10 }), []);
    await pass(300);
    assert.equal((await log.due({ limit: 10 })).length, 1);
  });

  law("due sessions come by wake and then by session, page by page", async (log) => {
    const wakes = { ses_b: 2, ses_c: 1, ses_a: 2, ses_d: 2 };
    for (const [id, wakeAt] of Object.entries(wakes)) await log.create(acme, { ...session(id), wakeAt });
    const [first, second, ...more] = await log.due({ limit: 2 });
    assert.deepEqual([first?.session, second?.session, more.length], ["ses_c", "ses_a", 0]);
    assert.ok(second);
    const next = await log.due({ limit: 10, after: second });
    assert.deepEqual(
      next.map((each) => each.session),
      ["ses_b", "ses_d"],
    );
  });

  law("an ended session takes no input and is never due", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    await log.append(acme, "ses_1", claim.fence, [event("session.status_ended")], { status: "ended" });
    await log.release(acme, "ses_1", claim.fence, { seen: 2, wakeAt: 1 });
    assert.deepEqual(await log.due({ limit: 10 }), []);
    await assert.rejects(log.deposit(acme, "ses_1", event("input.message")), code("RUNTIME_SESSION_ENDED"));
  });

  law(
    "sessions are found by status, agent, parent, external id and metadata, newest first, page by page",
    async (log) => {
      const made: readonly [string, Partial<NewSession>][] = [
        ["ses_1", { status: "queued", metadata: { plan: "pro", seats: 5 } }],
        ["ses_2", { agent: "other", metadata: { plan: "pro", seats: 6 } }],
        ["ses_3", { parent: "ses_1", metadata: { plan: "free", paid: true } }],
        ["ses_4", { externalId: "T-4" }],
      ];
      for (const [id, more] of made) await log.create(acme, session(id, more));
      const ids = async (query: Parameters<SessionLog["find"]>[1]) => {
        const found: string[] = [];
        for (let cursor: string | undefined; ; ) {
          const page = await log.find(acme, { ...query, limit: 2, ...(cursor === undefined ? {} : { cursor }) });
          found.push(...page.items.map(({ id }) => id));
          cursor = page.cursor;
          if (cursor === undefined) return found;
        }
      };
      assert.deepEqual(await ids({}), ["ses_4", "ses_3", "ses_2", "ses_1"]);
      assert.deepEqual(await ids({ status: "queued" }), ["ses_1"]);
      assert.deepEqual(await ids({ agent: "other" }), ["ses_2"]);
      assert.deepEqual(await ids({ parent: "ses_1" }), ["ses_3"]);
      assert.deepEqual(await ids({ externalId: "T-4" }), ["ses_4"]);
      assert.deepEqual(await ids({ metadata: { plan: "pro" } }), ["ses_2", "ses_1"]);
      assert.deepEqual(await ids({ metadata: { plan: "pro", seats: 5 } }), ["ses_1"]);
      assert.deepEqual(await ids({ metadata: { paid: true } }), ["ses_3"]);
      assert.deepEqual(await ids({ metadata: { seats: "5" } }), []);
      assert.deepEqual(await ids({ archived: true }), []);
    },
  );

  law("a deleted session is gone with its events; a claimed one stays", async (log) => {
    await log.create(acme, session("ses_1"));
    await log.renew("w1", 60_000);
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    await log.saveSnapshot(acme, "ses_1", claim.fence, { seq: 1, body: { kept: true } });
    assert.deepEqual(await log.snapshot(acme, "ses_1"), { seq: 1, body: { kept: true } });
    await assert.rejects(log.delete(acme, "ses_1"), code("RUNTIME_SESSION_BUSY"));
    await log.release(acme, "ses_1", claim.fence, { seen: 1 });
    await log.delete(acme, "ses_1");
    assert.equal(await log.get(acme, "ses_1"), undefined);
    await log.create(acme, session("ses_1"));
    assert.equal((await log.read(acme, "ses_1")).length, 1);
    assert.equal(await log.snapshot(acme, "ses_1"), undefined);
  });

  law("inputs and the owner's events interleave without gaps", async (log) => {
    await log.create(acme, session("ses_1"));
    const claim = await log.claim(acme, "ses_1", { owner: "w1" });
    assert.ok(claim);
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 === 0
          ? log.append(acme, "ses_1", claim.fence, [event("a"), event("b")])
          : log.deposit(acme, "ses_1", event("input.message")),
      ),
    );
    const seqs = (await log.read(acme, "ses_1")).map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      Array.from({ length: 61 }, (_, index) => index + 1),
    );
  });
}
