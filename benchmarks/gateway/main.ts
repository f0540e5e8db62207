/**
 * CPU time of the server process per MCP `tools/call` over keep-alive connections, as the scheduler counts it: raw node:http that
 * answers itself, a proxy of bytes, a proxy made of the SDK's client and server, the gateway with a cached JWT and a
 * limit (light), and with permissions, an audit row, injection and redaction too (full; in-process stand-ins for the
 * neighbours, so that only the gateway's own share is measured).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { exportJWK, generateKeyPair, SignJWT } from "../../packages/gateway/node_modules/jose/dist/webapi/index.js";
import { Pool } from "../../packages/gateway/node_modules/undici/index.js";
import { interleaved, report, round, spread } from "../support/measure.ts";

const CALLS = 1000;
const PARALLEL = 16;
/** Many and short: what else the machine does then falls on neighbours alike, and ratios are taken within a round. */
const ROUNDS = 21;
const children: ChildProcess[] = [];

const { publicKey, privateKey } = await generateKeyPair("ES256");
const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }] });
const token = await new SignJWT({ sub: "ann" })
  .setProtectedHeader({ alg: "ES256", kid: "1", typ: "at+jwt" })
  .setIssuer("https://login.example")
  .setAudience("https://gateway.example/mcp")
  .setIssuedAt()
  .setExpirationTime("1h")
  .sign(privateKey);

async function start(kind: string, upstream = ""): Promise<{ readonly url: string; readonly pid: number }> {
  const child = spawn(
    process.execPath,
    ["--conditions=@ashlar/source", fileURLToPath(new URL("contender.ts", import.meta.url)), kind, upstream],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, BENCH_JWKS: jwks } },
  );
  children.push(child);
  const [url] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line")) as [string];
  return { url, pid: child.pid ?? 0 };
}

/** Of all threads; the first field of `schedstat` is nanoseconds on a CPU. */
const cpuMicroseconds = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1000,
    0,
  );

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const headers = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  authorization: `Bearer ${token}`,
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "tools/call",
  "mcp-name": "read",
};

async function load(pool: Pool, calls: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < calls) {
      const id = next++;
      const body = JSON.stringify({
        jsonrpc: "2.0",
        id,
        method: "tools/call",
        params: { name: "read", arguments: { id: "T-1" }, _meta: meta },
      });
      const answer = await pool.request({ method: "POST", path: "/mcp", headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== 200 || !text.includes("T-1 is open"))
        throw new Error(`${answer.statusCode}: ${text.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

try {
  const upstream = await start("raw");
  const negotiating = await start("upstream");
  const kinds = ["raw", "bytes", "light", "full", "sdk"] as const;
  const started = Object.fromEntries(
    await Promise.all(
      kinds.map(async (kind) => {
        const { url, pid } = await start(kind, kind === "sdk" ? negotiating.url : upstream.url);
        return [kind, { pid, pool: new Pool(new URL(url).origin, { connections: PARALLEL }) }] as const;
      }),
    ),
  ) as Record<(typeof kinds)[number], { readonly pid: number; readonly pool: Pool }>;
  for (const { pool } of Object.values(started)) await load(pool, 2000);
  const samples = Object.fromEntries(kinds.map((kind) => [kind, [] as number[]])) as Record<
    (typeof kinds)[number],
    number[]
  >;
  const microseconds = (kind: (typeof kinds)[number]) => async () => {
    const { pid, pool } = started[kind];
    const before = cpuMicroseconds(pid);
    await load(pool, CALLS);
    const perCall = (cpuMicroseconds(pid) - before) / CALLS;
    samples[kind].push(perCall);
    return perCall;
  };
  const ratio = (over: (typeof kinds)[number], under: (typeof kinds)[number]): number =>
    round(spread(samples[over].map((each, index) => each / (samples[under][index] ?? Number.NaN))).p50);
  const found = await interleaved(
    ROUNDS,
    Object.fromEntries(kinds.map((kind) => [kind, microseconds(kind)])) as Record<
      (typeof kinds)[number],
      () => Promise<number>
    >,
  );
  const rows = kinds.map((kind) => ({
    server: kind,
    "µs CPU per call": round(found[kind].p50),
    min: round(found[kind].min),
    max: round(found[kind].max),
    "× bytes": ratio(kind, "bytes"),
  }));
  report("gateway", rows, {
    ratioToByteProxy: ratio("light", "bytes"),
    fullRatioToByteProxy: ratio("full", "bytes"),
    ratioToSdkProxy: ratio("sdk", "light"),
    fullPipelineUs: round(found.full.p50),
  });
  for (const { pool } of Object.values(started)) await pool.destroy();
} finally {
  for (const child of children) child.kill();
}
