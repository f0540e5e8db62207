import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { CredentialInjector } from "@ashlar/gateway";
import type { LanguageModel } from "ai";
import { startScriptedModel } from "../ticket-resolver/scripted-model/server.ts";
import type { AgentDefinition } from "./definition.ts";
import { assistantScript } from "./scripted-assistant.ts";

type ModelDefinition = AgentDefinition["model"];
type Principal = Parameters<CredentialInjector["inject"]>[0]["principal"];

export interface ModelsDeps {
  readonly injector: CredentialInjector;
  readonly environment: NodeJS.ProcessEnv;
}

/** The models that definitions name. Keys are in the vault or, for `environment`, in the environment; never in a file. */
export class Models {
  readonly #deps: ModelsDeps;
  #scripted: ReturnType<typeof startScriptedModel> | undefined;

  constructor(deps: ModelsDeps) {
    this.#deps = deps;
  }

  model(definition: ModelDefinition, principal: Principal): LanguageModel {
    switch (definition.provider) {
      case "environment":
        return this.#fromEnvironment();
      case "scripted":
        return this.#fromScript();
      case "anthropic": {
        const fetch = this.#injecting(principal, definition.auth.credential_ref);
        return createAnthropic({ apiKey: "injected", fetch })(definition.name);
      }
      case "openai-compatible": {
        const { name, base_url: baseURL, auth } = definition;
        const fetch = auth === undefined ? {} : { fetch: this.#injecting(principal, auth.credential_ref) };
        return createOpenAICompatible({ name: "openai-compatible", baseURL, includeUsage: true, ...fetch })(name);
      }
    }
  }

  /** What an `environment` model is here, for people. */
  get environment(): string {
    const { ANTHROPIC_API_KEY, OPENAI_API_KEY, OPENAI_BASE_URL } = this.#deps.environment;
    if (ANTHROPIC_API_KEY) return "anthropic";
    return OPENAI_API_KEY || OPENAI_BASE_URL ? "openai-compatible" : "scripted model (no key in the environment)";
  }

  async close(): Promise<void> {
    await (await this.#scripted)?.close();
  }

  #fromEnvironment(): LanguageModel {
    const { ANTHROPIC_API_KEY, OPENAI_API_KEY, OPENAI_BASE_URL, ASHLAR_MODEL } = this.#deps.environment;
    if (ANTHROPIC_API_KEY) return createAnthropic({ apiKey: ANTHROPIC_API_KEY })(ASHLAR_MODEL ?? "claude-sonnet-4-5");
    if (!OPENAI_API_KEY && !OPENAI_BASE_URL) return this.#fromScript();
    return createOpenAICompatible({
      name: "openai-compatible",
      baseURL: OPENAI_BASE_URL ?? "https://api.openai.com/v1",
      includeUsage: true,
      ...(OPENAI_API_KEY ? { apiKey: OPENAI_API_KEY } : {}),
    })(ASHLAR_MODEL ?? "gpt-5");
  }

  /** A server on loopback, started by the first question to it. */
  #fromScript(): LanguageModel {
    const baseURL = "http://scripted.invalid/v1";
    const asked: typeof globalThis.fetch = async (input, init) => {
      this.#scripted ??= startScriptedModel(assistantScript);
      return fetch(String(input).replace(baseURL, (await this.#scripted).baseURL), init);
    };
    return createOpenAICompatible({ name: "scripted", baseURL, includeUsage: true, fetch: asked })("scripted-model");
  }

  /** The vault's credential goes on at the door, and what comes back is read without it. */
  #injecting(principal: Principal, reference: string): typeof globalThis.fetch {
    return async (input, init) => {
      const plain = new Request(input, init);
      const headers = Object.fromEntries(plain.headers);
      for (const name of ["authorization", "x-api-key"]) delete headers[name];
      const outbound = {
        method: plain.method,
        url: plain.url,
        headers,
        body: new Uint8Array(await plain.arrayBuffer()),
      };
      const { request, redactor } = await this.#deps.injector.inject({ principal }, reference, outbound);
      const { method, url, body } = request;
      const response = await fetch(url, {
        method,
        headers: request.headers,
        redirect: "error",
        signal: plain.signal,
        ...(body === undefined ? {} : { body: body as NonNullable<RequestInit["body"]> }),
      });
      const read =
        response.body?.pipeThrough(redactor.stream() as ReadableWritablePair<Uint8Array, Uint8Array>) ?? null;
      return new Response(read, { status: response.status, headers: response.headers });
    };
  }
}
