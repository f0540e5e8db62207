import { z } from "zod";

/** A name that is also a file's name, a part of a path and a prefix of tools. */
export const NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;

const auth = z.strictObject({ credential_ref: z.string().min(1) });

const model = z.discriminatedUnion("provider", [
  z.strictObject({ provider: z.literal("environment") }),
  z.strictObject({ provider: z.literal("scripted") }),
  z.strictObject({ provider: z.literal("anthropic"), name: z.string(), auth }),
  z.strictObject({
    provider: z.literal("openai-compatible"),
    name: z.string(),
    base_url: z.url(),
    auth: auth.exactOptional(),
  }),
]);

/** `agents/<name>.yaml`. */
export const agentDefinition = z.strictObject({
  description: z.string().exactOptional(),
  model: model.default({ provider: "environment" }),
  system: z.string().min(1),
  /** Names as `/mcp` lists them; `*` stands for any run of characters. */
  tools: z.array(z.string()).default([]),
  policies: z.record(z.string(), z.enum(["always_allow", "always_ask", "auto", "never"])).exactOptional(),
  /** Of a session. A reached one asks a person for as much again. */
  limits: z
    .strictObject({
      tokens: z.int().positive().exactOptional(),
      cost_micros: z.int().positive().exactOptional(),
      active_ms: z.int().positive().exactOptional(),
    })
    .default({}),
  /** Of one turn. */
  max_iterations: z.int().positive().exactOptional(),
  /** A memory's name: what it holds on the conversation is recalled, and each turn is put into it. */
  memory: z.string().exactOptional(),
  priority: z.int().min(-1000).max(1000).exactOptional(),
  requires: z.array(z.string()).exactOptional(),
});
export type AgentDefinition = z.infer<typeof agentDefinition>;

const tool = z.strictObject({
  name: z.string(),
  description: z.string().exactOptional(),
  input_schema: z.record(z.string(), z.json()),
});

/** `targets/<name>.yaml`: what `/mcp` offers. */
export const targetDefinition = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("sandbox") }),
  /** `memory` is the memory's name. */
  z.strictObject({ kind: z.literal("memory"), memory: z.string().default("shared") }),
  z.strictObject({ kind: z.literal("mcp"), url: z.url(), auth: auth.exactOptional() }),
  z.strictObject({
    kind: z.literal("openapi"),
    /** A file beside this one, or an address. */
    document: z.string().min(1),
    base_url: z.url().exactOptional(),
    auth: auth.exactOptional(),
  }),
  z.strictObject({
    kind: z.literal("stdio"),
    command: z.array(z.string()).min(1),
    environment: z.record(z.string(), z.string()).exactOptional(),
  }),
  z.strictObject({
    kind: z.literal("http_functions"),
    url: z.url(),
    tools: z.array(tool).min(1),
    auth: auth.exactOptional(),
  }),
]);
export type TargetDefinition = z.infer<typeof targetDefinition>;

const path = z.string().startsWith("/");
const condition = z.union([
  z.strictObject({ path, equals: z.json() }),
  z.strictObject({ path, in: z.array(z.json()) }),
  z.strictObject({ path, atMost: z.number() }),
  z.strictObject({ path, atLeast: z.number() }),
  z.strictObject({ path, startsWith: z.string() }),
  z.strictObject({ path, absent: z.literal(true) }),
]);

/** `policies.yaml`: who may do what. What none of them allows is denied. */
export const policyDefinitions = z.array(
  z.strictObject({
    id: z.string().min(1),
    effect: z.enum(["allow", "deny", "ask"]),
    principal: z
      .strictObject({ agents: z.array(z.string()).exactOptional(), users: z.array(z.string()).exactOptional() })
      .exactOptional(),
    actions: z.array(z.string()).min(1),
    resources: z.array(z.string()).min(1),
    when: z.array(condition).exactOptional(),
  }),
);
export type PolicyDefinitions = z.infer<typeof policyDefinitions>;

/** `auth.yaml`: with it the server may listen on an address that others reach. */
export const authDefinition = z.strictObject({
  /** API keys made with `--new-key`. */
  api_keys: z.boolean().default(true),
  issuers: z
    .array(
      z.strictObject({
        issuer: z.url(),
        audience: z.string().min(1),
        /** The claim that names the tenant; without it every user is of the server's own. */
        tenant_claim: z.string().exactOptional(),
        user_claim: z.string().default("sub"),
      }),
    )
    .default([]),
  /** Names under which the server answers, beside its own address. */
  hosts: z.array(z.string()).default([]),
});
export type AuthDefinition = z.infer<typeof authDefinition>;
