import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { GuestChannel } from "./channel.ts";
import { GUEST_COMMAND, guestProgram, guestSource } from "./launch.ts";

async function ask(program: Buffer, operation: string, args: object): Promise<Record<string, unknown>> {
  const child = spawn("/usr/bin/python3", GUEST_COMMAND, { env: {}, stdio: ["pipe", "pipe", "inherit"] });
  try {
    child.stdin.write(program);
    const broken = Promise.withResolvers<never>();
    child.once("close", (code) => broken.reject(new Error(`ended with ${code}`)));
    const channel = new GuestChannel(child.stdin, child.stdout, broken.reject);
    return await Promise.race([channel.call(operation, { ...args }).result, broken.promise]);
  } finally {
    child.kill("SIGKILL");
  }
}

describeWith([parts.python], "the guest's program", () => {
  test("starts from its source, and from what its own interpreter compiled, which is no source", async () => {
    const { code } = await ask(guestProgram(undefined), "compile", { source: guestSource() });
    const compiled = Buffer.from(String(code), "base64");
    assert.equal(compiled.includes("def compile_guest"), false);
    const again = await ask(guestProgram(compiled), "compile", { source: "1" });
    assert.ok(String(again.code).length > 0);
  });
});
