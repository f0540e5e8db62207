/**
 * AWS's own client in front of `AwsKmsWrapper`, against a server on loopback that answers in the recorded shapes of
 * KMS's JSON protocol: what the client signs, sends and reads is real, the key service is not AWS.
 */
import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { KMS } from "@aws-sdk/client-kms";
import { AwsKmsWrapper, type KmsClient } from "../../packages/identity/src/index.ts";
import { keyWrapperConformance } from "../../packages/identity/src/testing/index.ts";

interface Call {
  readonly KeyId: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
}

const keys = new Map<string, Buffer>([
  ["alias/a", randomBytes(32)],
  ["alias/b", randomBytes(32)],
]);
const context = ({ EncryptionContext = {} }: Call): Buffer =>
  Buffer.from(JSON.stringify(Object.entries(EncryptionContext)));
const seen: { readonly target: string; readonly authorization: string; readonly body: Call }[] = [];
let outage: { readonly status: number; readonly type: string } | undefined;

const server = createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Call;
  const target = String(request.headers["x-amz-target"]);
  seen.push({ target, authorization: String(request.headers.authorization), body });
  const answer = (status: number, value: object) =>
    response
      .writeHead(status, { "content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "test" })
      .end(JSON.stringify(value));
  if (outage) return answer(outage.status, { __type: outage.type, message: "recorded" });
  const key = keys.get(body.KeyId);
  if (key === undefined) return answer(400, { __type: "NotFoundException", message: "no such key" });
  if (target === "TrentService.Encrypt") {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(context(body));
    const text = Buffer.concat([
      nonce,
      cipher.update(body.Plaintext ?? "", "base64"),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    const CiphertextBlob = text.toString("base64");
    return answer(200, { CiphertextBlob, EncryptionAlgorithm: "SYMMETRIC_DEFAULT", KeyId: body.KeyId });
  }
  try {
    const text = Buffer.from(body.CiphertextBlob ?? "", "base64");
    const decipher = createDecipheriv("aes-256-gcm", key, text.subarray(0, 12))
      .setAAD(context(body))
      .setAuthTag(text.subarray(-16));
    const plain = Buffer.concat([decipher.update(text.subarray(12, -16)), decipher.final()]);
    return answer(200, {
      Plaintext: plain.toString("base64"),
      EncryptionAlgorithm: "SYMMETRIC_DEFAULT",
      KeyId: body.KeyId,
    });
  } catch {
    return answer(400, { __type: "InvalidCiphertextException" });
  }
}).listen(0, "127.0.0.1");
await once(server, "listening");

const client: KmsClient = new KMS({
  endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  region: "eu-central-1",
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "an example of a secret key" },
  maxAttempts: 1,
});
const wrapper = (keyId: string) => new AwsKmsWrapper({ kms: client, keyId });
const key = new Uint8Array(32).fill(7);

const cases: [string, () => Promise<void>][] = [];
keyWrapperConformance({
  test: (name, body) => cases.push([name, body]),
  createWrappers: async () => [wrapper("alias/a"), wrapper("alias/b")],
});
cases.push([
  "calls are signed, name the tenant in the encryption context, and hold no clear key but the one to wrap",
  async () => {
    seen.length = 0;
    await wrapper("alias/a").unwrap("acme", await wrapper("alias/a").wrap("acme", key));
    assert.deepEqual(
      seen.map(({ target }) => target),
      ["TrentService.Encrypt", "TrentService.Decrypt"],
    );
    for (const { authorization, body } of seen) {
      assert.match(authorization, /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\//);
      assert.deepEqual(body.EncryptionContext, { "ashlar:tenant": "acme" });
    }
  },
]);
for (const [status, type, code] of [
  [400, "IncorrectKeyException", "IDENTITY_KEY_MISMATCH"],
  [400, "AccessDeniedException", "IDENTITY_KEY_UNAVAILABLE"],
  [400, "DisabledException", "IDENTITY_KEY_UNAVAILABLE"],
  [400, "ThrottlingException", "IDENTITY_KEY_UNAVAILABLE"],
  [500, "KMSInternalException", "IDENTITY_KEY_UNAVAILABLE"],
] as const) {
  cases.push([
    `${type} is ${code}`,
    async () => {
      const wrapped = await wrapper("alias/a").wrap("acme", key);
      outage = { status, type };
      await assert.rejects(wrapper("alias/a").unwrap("acme", wrapped), { code }).finally(() => {
        outage = undefined;
      });
    },
  ]);
}

let failed = 0;
for (const [name, body] of cases) {
  const error = await body().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error !== undefined) failed += 1;
  console.log(`${error === undefined ? "ok    " : "FAILED"} ${name}${error === undefined ? "" : `: ${String(error)}`}`);
}
console.log(`${cases.length - failed} passed, ${failed} failed`);
server.closeAllConnections();
server.close();
process.exitCode = failed === 0 ? 0 : 1;
