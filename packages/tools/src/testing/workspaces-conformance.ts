import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import type { Workspaces } from "../workspaces.ts";
import type { TestFunction } from "./suite.ts";

export interface WorkspacesConformanceOptions {
  readonly test: TestFunction;
  create(): Promise<{
    readonly workspaces: Workspaces;
    readonly context: CallContext;
    /** Of another tenant. */
    readonly stranger: CallContext;
  }>;
}

const archive = (...parts: readonly string[]): ReadableStream<Uint8Array> => {
  const left = parts.map((part) => new TextEncoder().encode(part));
  return new ReadableStream({
    pull(controller) {
      const next = left.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
  });
};

const textOf = async (stream: ReadableStream<Uint8Array> | undefined): Promise<string | undefined> =>
  stream === undefined ? undefined : new Response(stream).text();

/** The law of `Workspaces`. */
export function workspacesConformance({ test, create }: WorkspacesConformanceOptions): void {
  test("Workspaces: the newest save comes back, whole; before the first there is none", async () => {
    const { workspaces, context } = await create();
    assert.equal(await workspaces.restore(context, "agent/ses_1"), undefined);
    await workspaces.save(context, "agent/ses_1", archive("one ", "and two"));
    await workspaces.save(context, "agent/ses_2", archive("another"));
    assert.equal(await textOf(await workspaces.restore(context, "agent/ses_1")), "one and two");
    await workspaces.save(context, "agent/ses_1", archive("three"));
    assert.equal(await textOf(await workspaces.restore(context, "agent/ses_1")), "three");
  });

  test("Workspaces: a save that breaks off leaves the one before", async () => {
    const { workspaces, context } = await create();
    await workspaces.save(context, "ses_1", archive("whole"));
    let pulls = 0;
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(new TextEncoder().encode("ha"));
        else controller.error(new Error("the sandbox died"));
      },
    });
    await assert.rejects(workspaces.save(context, "ses_1", broken));
    assert.equal(await textOf(await workspaces.restore(context, "ses_1")), "whole");
  });

  test("Workspaces: another tenant's workspace of the same name is another", async () => {
    const { workspaces, context, stranger } = await create();
    await workspaces.save(context, "ses_1", archive("ours"));
    assert.equal(await workspaces.restore(stranger, "ses_1"), undefined);
    await workspaces.save(stranger, "ses_1", archive("theirs"));
    assert.equal(await textOf(await workspaces.restore(context, "ses_1")), "ours");
  });
}
