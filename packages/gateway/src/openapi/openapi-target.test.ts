import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { bearerInjector, bearers } from "../fixtures/parts.ts";
import { Gateway } from "../index.ts";
import { openApiTarget } from "./index.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const context = { principal: { tenant: "acme" } };
const pet = {
  type: "object",
  required: ["name"],
  properties: {
    name: { type: "string", nullable: true, pattern: "^(a+)+$" },
    parent: { $ref: "#/components/schemas/Pet" },
    weight: { type: "number", minimum: 0, exclusiveMinimum: true },
  },
};
const document = {
  openapi: "3.0.3",
  servers: [{ url: "http://{host}/v1", variables: { host: { default: "api.example" } } }],
  paths: {
    "/pets/{id}": {
      parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
      get: {
        operationId: "read pet",
        parameters: [
          { name: "tags", in: "query", schema: { type: "array", items: { type: "string" } } },
          { name: "filter", in: "query", style: "deepObject", schema: { type: "object" } },
          { name: "Authorization", in: "header", schema: { type: "string" } },
          { name: "Host", in: "header", schema: { type: "string" } },
          { name: "X-Trace", in: "header", schema: { type: "string" } },
          { name: "id", in: "query", schema: { type: "string" } },
        ],
      },
      put: { requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Pet" } } } } },
    },
  },
  components: { schemas: { Pet: pet } },
};

async function stack(source: object | string = document) {
  const seen: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
    response.writeHead(request.url?.includes("missing") ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ seen: request.headers.authorization }));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  open.push(async () => server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const gateway = new Gateway({
    authenticator: bearers({}),
    injector: bearerInjector({ pets_key: "a-secret-key-value" }),
    targets: [
      openApiTarget({
        name: "pets",
        document: source,
        baseUrl: `http://${host}/v1/`,
        auth: { credentialRef: "pets_key" },
      }),
    ],
    allow: [host],
  });
  open.push(() => gateway.close());
  return { tools: gateway.tools, seen };
}

test("operations become tools; a recursive schema stays finite and becomes 2020-12", async () => {
  const { tools } = await stack();
  const list = await tools.list(context);
  expect(list.map(({ name }) => name)).toEqual(["read_pet", "put_pets_id_"]);
  const [read, put] = list;
  const properties = Object(read?.inputSchema).properties as object;
  expect(Object.keys(properties)).toEqual(["id", "tags", "filter", "X-Trace", "id_query"]);
  expect(put?.inputSchema).toMatchObject({
    properties: { body: { $ref: "#/$defs/Pet" } },
    $defs: {
      Pet: {
        properties: {
          name: { type: ["string", "null"] },
          parent: { $ref: "#/$defs/Pet" },
          weight: { exclusiveMinimum: 0 },
        },
      },
    },
  });
});

test("a call is written by the document's styles, with the credential injected and not given back", async () => {
  const { tools, seen } = await stack();
  const result = await tools.call({ ...context, idempotencyKey: "k1" }, "read_pet", {
    id: "a/b c",
    tags: ["x", "y"],
    filter: { age: 3 },
    "X-Trace": "t",
    id_query: "q",
  });
  expect(seen[0]?.url).toBe("/v1/pets/a%2Fb%20c?tags=x&tags=y&filter%5Bage%5D=3&id=q");
  expect(seen[0]?.headers).toMatchObject({
    authorization: "Bearer a-secret-key-value",
    "x-trace": "t",
    "idempotency-key": "k1",
  });
  expect(JSON.stringify(result)).toContain("[redacted]");
  expect(JSON.stringify(result)).not.toContain("a-secret-key-value");
});

test("arguments are checked before anything is sent, in linear time", async () => {
  const { tools, seen } = await stack();
  const evil = `${"a".repeat(50_000)}!`;
  await expect(tools.call(context, "put_pets_id_", { id: "1", body: { name: evil } })).rejects.toMatchObject({
    kind: "invalid",
  });
  await expect(tools.call(context, "put_pets_id_", { id: "1", body: { weight: 0, name: "a" } })).rejects.toThrow(
    /weight/,
  );
  await expect(tools.call(context, "read_pet", {})).rejects.toThrow(/required property 'id'/);
  expect(seen).toEqual([]);
});

test("an answer of 4xx is a tool error that says so", async () => {
  const { tools } = await stack();
  expect(await tools.call(context, "read_pet", { id: "missing" })).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining("HTTP 404") }],
  });
});

test("Swagger 2 in YAML: body, form, collection formats", async () => {
  const { tools, seen } = await stack(`
swagger: "2.0"
host: api.example
basePath: /v1
paths:
  /f:
    post:
      operationId: form
      consumes: [application/x-www-form-urlencoded]
      parameters:
        - {name: a, in: formData, type: string, required: true}
        - {name: ids, in: query, type: array, collectionFormat: pipes, items: {type: integer}}
  /b:
    post:
      operationId: body
      parameters: [{name: thing, in: body, required: true, schema: {type: object}}]
`);
  await tools.call(context, "form", { a: "x&y", ids: [1, 2] });
  await tools.call(context, "body", { body: { z: 1 } });
  expect(seen.map(({ url, body, headers }) => [url, body, headers["content-type"]])).toEqual([
    ["/v1/f?ids=1%7C2", "a=x%26y", "application/x-www-form-urlencoded"],
    ["/v1/b", '{"z":1}', "application/json"],
  ]);
});

test.each([
  ["not a document", "[1]"],
  ["an unknown version", '{"openapi":"4.0","paths":{}}'],
  ["no text of either kind", "a: [b"],
])("%s is refused with the reason", async (_, source) => {
  const { tools } = await stack(source);
  await expect(tools.list(context)).rejects.toMatchObject({ code: "GATEWAY_INVALID" });
});
