import assert from "node:assert/strict";
import type { CallContext } from "../dialect.ts";
import type { HostedProcess, SessionHost } from "../session-host.ts";
import type { TestFunction } from "./suite.ts";

export interface SessionHostConformance {
  readonly test: TestFunction;
  createHost(): SessionHost | Promise<SessionHost>;
  /** A command that gives its input back as its output and ends with it. */
  readonly echo: readonly string[];
  /** A command that writes `the reason` to its error stream and ends with code 7. */
  readonly fail: readonly string[];
  /** A command that never ends by itself. */
  readonly hang: readonly string[];
}

const context: CallContext = { principal: { tenant: "acme" } };
const read = async (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text();

async function write(child: HostedProcess, ...chunks: readonly Uint8Array[]): Promise<void> {
  const writer = child.stdin.getWriter();
  for (const chunk of chunks) await writer.write(chunk);
  await writer.close();
}

/** The law of `SessionHost`. */
export function sessionHostConformance({ test, createHost, echo, fail, hang }: SessionHostConformance): void {
  const law = (name: string, body: (host: SessionHost) => Promise<void>) =>
    test(`session host: ${name}`, async () => body(await createHost()));

  law("bytes go in and come out whole, and the end of input reaches the program", async (host) => {
    const child = await host.start(context, { command: echo });
    const bytes = Buffer.alloc(300_000, "ashlar ");
    const [output] = await Promise.all([read(child.stdout), write(child, bytes.subarray(0, 7), bytes.subarray(7))]);
    assert.equal(output, bytes.toString());
    assert.equal((await child.exit).code, 0);
  });

  law("a program's code and its last words are told apart from its output", async (host) => {
    const child = await host.start(context, { command: fail });
    const [output, errors] = await Promise.all([read(child.stdout), read(child.stderr)]);
    assert.deepEqual([output, errors.includes("the reason")], ["", true]);
    assert.equal((await child.exit).code, 7);
  });

  law("a kill ends a program that does not end, and killing twice is harmless", async (host) => {
    const child = await host.start(context, { command: hang });
    await child.kill();
    assert.equal((await child.exit).code, undefined);
    await child.kill();
  });

  law("a command that does not exist is a typed error", async (host) => {
    await assert.rejects(host.start(context, { command: ["/nowhere/to/be/found"] }).then(failed), (error) => {
      return typeof (error as { code?: unknown }).code === "string";
    });
  });
}

/** A host whose wrapper starts tells of a missing command only by its exit. */
async function failed(child: HostedProcess): Promise<never> {
  const { code } = await child.exit;
  throw Object.assign(new Error("The command did not start."), { code: code === 0 ? undefined : "EXITED" });
}
