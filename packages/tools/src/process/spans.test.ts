import assert from "node:assert/strict";
import { trace } from "@opentelemetry/api";
import { afterAll, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { seeSpans } from "../fixtures/seen-spans.ts";
import { ProcessBackend } from "./index.ts";

describeWith([parts.python], "spans", () => {
  const seen = seeSpans();
  const backend = new ProcessBackend({ unsafe: true });
  afterAll(async () => {
    trace.disable();
    await backend.close();
  });

  test("each sandbox, run and command is a span that ends and holds nothing of what ran", async () => {
    await using sandbox = await backend.create({ principal: { tenant: "acme" } });
    await sandbox.run("password = 'hunter2'");
    await sandbox.exec(["/bin/echo", "hunter2"]);
    await assert.rejects(sandbox.exec(["/no/such/program", "hunter2"]));
    assert.deepEqual(
      seen.map(({ name }) => name),
      ["sandbox.create", "sandbox.run", "sandbox.exec", "sandbox.exec"],
    );
    assert.ok(seen.every(({ ended }) => ended));
    assert.equal(seen[1]?.attributes["ashlar.sandbox.status"], "ok");
    assert.equal(seen[2]?.attributes["process.exit.code"], 0);
    assert.equal(seen[3]?.attributes["error.type"], "TOOLS_PROGRAM_MISSING");
    assert.doesNotMatch(JSON.stringify(seen), /hunter2/);
  });
});
