import type { Attributes } from "./gen-ai-model.ts";

/** What Ashlar's packages say where no convention has a word. */
export const ashlarAttributes: Attributes = {
  "ashlar.tenant": "string",
  "ashlar.browser.action": "string",
  "ashlar.browser.id": "string",
  "ashlar.browser.program": "string",
  "ashlar.credential.reference": "string",
  "ashlar.gateway.target": "string",
  "ashlar.memory.operation": "string",
  "ashlar.memory.size": "int",
  "ashlar.policy.action": "string",
  "ashlar.policy.effect": "string",
  "ashlar.policy.id": "string",
  "ashlar.policy.resource": "string",
  "ashlar.sandbox.backend": "string",
  "ashlar.sandbox.grade": "string",
  "ashlar.sandbox.id": "string",
  "ashlar.sandbox.language": "string",
  "ashlar.sandbox.status": "string",
  "ashlar.session.crashes": "int",
  "ashlar.session.turn": "int",
};

/** Spans of Ashlar's own, by name: what each must carry. Its names ending in a star stand for several. */
export const ashlarSpans: Readonly<Record<string, readonly string[]>> = {
  "browser.action *": ["ashlar.browser.id", "ashlar.browser.action"],
  "browser.close": ["ashlar.browser.id"],
  "browser.open": ["ashlar.browser.program"],
  "gateway.call": ["ashlar.tenant", "ashlar.gateway.target", "gen_ai.tool.name"],
  "identity.authenticate": [],
  "identity.decide": ["ashlar.tenant", "ashlar.policy.action", "ashlar.policy.resource"],
  "identity.inject": [],
  "memory.append": ["ashlar.tenant", "gen_ai.memory.store.id"],
  "memory.store *": ["ashlar.memory.operation", "ashlar.memory.size"],
  "sandbox.create": ["ashlar.sandbox.id", "ashlar.sandbox.backend", "ashlar.sandbox.grade"],
  "sandbox.exec": ["ashlar.sandbox.id", "process.executable.name"],
  "sandbox.run": ["ashlar.sandbox.id", "ashlar.sandbox.language"],
};

/** What a span of an HTTP server must carry. */
export const httpServer: readonly string[] = ["http.request.method", "url.path", "url.scheme"];
