import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, test } from "vitest";
import { hostile } from "../../../../../test/support/hostile.ts";
import type { CallContext } from "../../dialect.ts";
import type { EgressLink } from "../../egress.ts";
import type { EgressCredentials } from "../../egress-credentials.ts";
import { createEgressAuthority } from "../egress-authority.ts";
import type { EgressDecision } from "../egress-decision.ts";
import { placeholder, planted, SECRET } from "../fixtures/bound-host.ts";
import { EgressProcess, type EgressProcessDeps } from "./egress-process.ts";

const context: CallContext = { principal: { tenant: "acme", session: "one" } };
const received: string[] = [];
const server = createServer(async (request, response) => {
  const body = await text(request);
  received.push(`${request.headers.authorization} ${body}`);
  response.setHeader("x-echo", String(request.headers.authorization));
  response.end(`${request.headers.authorization} ${body}`);
});
let port: number;
let egress: EgressProcess | undefined;
beforeAll(async () => {
  await once(server.listen(0), "listening");
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  await egress?.close();
  received.length = 0;
});
afterAll(() => server.close());

async function opened(deps: EgressProcessDeps = {}): Promise<EgressLink> {
  egress = new EgressProcess({ allowPrivate: [{ host: "localhost", port }], ...deps });
  const policy = { mode: "allow" as const, hosts: [{ host: "localhost", port }] };
  return await egress.open(context, { sandbox: "sbx_1", policy });
}

async function post(
  link: EgressLink,
  host: string,
  body: string,
  headers = {},
): Promise<{ status: number; body: string; echo: unknown }> {
  const path = `http://${host}:${port}/`;
  const request = httpRequest({ socketPath: link.socketPath, method: "POST", path, headers });
  request.end(body);
  const [response] = await once(request, "response");
  return { status: response.statusCode, body: await text(response), echo: response.headers["x-echo"] };
}

const bound = (credentials: EgressCredentials) => ({
  substitution: { credentials, authority: createEgressAuthority() },
});

test("the named host is reached through a process that is not this one, and decisions are logged in this one", async () => {
  const decisions: EgressDecision[] = [];
  const link = await opened({ log: { record: (each) => void decisions.push(each) } });
  assert.notEqual(egress?.pid, process.pid);
  assert.equal((await post(link, "localhost", "x")).status, 200);
  assert.equal((await post(link, "other.test", "x")).status, 403);
  await link.setPolicy({ mode: "none" });
  assert.equal((await post(link, "localhost", "x")).status, 403);
  assert.deepEqual(
    decisions.map(({ host, effect, principal, sandbox }) => [host, effect, principal.tenant, sandbox]),
    [
      ["localhost", "allow", "acme", "sbx_1"],
      ["other.test", "deny", "acme", "sbx_1"],
      ["localhost", "deny", "acme", "sbx_1"],
    ],
  );
});

test("a credential is put on here and taken out of the answer here; bodies stream through both ways", async () => {
  const asked: CallContext[] = [];
  const credentials: EgressCredentials = {
    ...planted([`localhost:${port}`]),
    async substitute(call, request) {
      asked.push(call);
      return await planted([]).substitute(call, request);
    },
  };
  const link = await opened(bound(credentials));
  const long = "b".repeat(300_000);
  const answer = await post(link, "localhost", long, { authorization: `Bearer ${placeholder}` });
  assert.deepEqual(received, [`Bearer ${SECRET} ${long}`]);
  assert.deepEqual(answer, { status: 200, body: `Bearer [redacted] ${long}`, echo: "Bearer [redacted]" });
  assert.deepEqual(asked, [context]);
});

test("credentials that fail refuse the request, and what they said stays here", async () => {
  const link = await opened(
    bound({
      hosts: async () => [`localhost:${port}`],
      substitute: () => Promise.reject(new Error(SECRET)),
    }),
  );
  const { status, body } = await post(link, "localhost", "x");
  assert.equal(status, 403);
  assert.doesNotMatch(body, new RegExp(SECRET));
  assert.deepEqual(received, []);
});

test("closing a link takes its socket away, closing all ends the process", async () => {
  const link = await opened();
  const pid = egress?.pid ?? 0;
  await link.close();
  assert.equal(existsSync(link.socketPath), false);
  await egress?.close();
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  const late = egress?.open(context, { sandbox: "sbx_2", policy: { mode: "open" } });
  await assert.rejects(late ?? Promise.resolve(), { code: "TOOLS_CLOSED" });
});

hostile("a crash of the egress proxy's process", {
  control: "while it runs, and allows the host, it is reached",
  async unguarded() {
    const link = await opened();
    assert.equal((await post(link, "localhost", "x")).status, 200);
    await egress?.close();
    received.length = 0;
  },
  async guarded() {
    const link = await opened();
    const policy = { mode: "none" as const };
    await link.setPolicy(policy);
    const pid = egress?.pid ?? 0;
    process.kill(pid, "SIGKILL");
    // Fails closed until the next one listens, whose policy is the last that was set.
    const early = await post(link, "localhost", "x").catch((error) => error.code);
    assert.ok(["ECONNREFUSED", "ECONNRESET", "ENOENT"].includes(early) || early.status === 403, String(early));
    await link.setPolicy(policy);
    assert.notEqual(egress?.pid, pid);
    assert.equal((await post(link, "localhost", "x")).status, 403);
    assert.deepEqual(received, []);
  },
});

hostile("the authority's key, looked for where a process shows itself", {
  control: "a process that is given the key as an argument shows it to whoever looks",
  async unguarded() {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", createEgressAuthority().key]);
    try {
      await once(child, "spawn");
      assert.match(readFileSync(`/proc/${child.pid}/cmdline`, "utf8"), /PRIVATE KEY/);
    } finally {
      child.kill("SIGKILL");
    }
  },
  async guarded() {
    const link = await opened(bound(planted([`localhost:${port}`])));
    await post(link, "localhost", "x", { authorization: `Bearer ${placeholder}` });
    for (const name of ["cmdline", "environ"]) {
      const shown = readFileSync(`/proc/${egress?.pid}/${name}`, "utf8");
      assert.doesNotMatch(shown, /PRIVATE KEY/);
      assert.ok(!shown.includes(SECRET));
    }
  },
});
