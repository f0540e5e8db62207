import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModel } from "ai";
import { startScriptedModel } from "./scripted-model/server.ts";

/** Which model answers, as it travels from the job to its worker; keys stay in the environment. */
export interface ModelChoice {
  readonly provider: "anthropic" | "openai-compatible" | "scripted";
  readonly model: string;
  readonly baseURL?: string;
}

/** The model of the environment; a scripted one, said so, when there is none. */
export async function chooseModel(environment: NodeJS.ProcessEnv): Promise<ModelChoice & { close(): Promise<void> }> {
  const { ANTHROPIC_API_KEY, OPENAI_API_KEY, OPENAI_BASE_URL, ASHLAR_MODEL } = environment;
  const close = async () => {};
  if (ANTHROPIC_API_KEY) return { provider: "anthropic", model: ASHLAR_MODEL ?? "claude-sonnet-4-5", close };
  if (OPENAI_API_KEY || OPENAI_BASE_URL) {
    const baseURL = OPENAI_BASE_URL ?? "https://api.openai.com/v1";
    return { provider: "openai-compatible", model: ASHLAR_MODEL ?? "gpt-5", baseURL, close };
  }
  return { provider: "scripted", ...(await startScriptedModel()) };
}

export function languageModel(
  { provider, model, baseURL = "" }: ModelChoice,
  environment: NodeJS.ProcessEnv,
): LanguageModel {
  if (provider === "anthropic") return createAnthropic({ apiKey: environment.ANTHROPIC_API_KEY ?? "" })(model);
  const apiKey = provider === "scripted" ? undefined : environment.OPENAI_API_KEY;
  return createOpenAICompatible({
    name: provider,
    baseURL,
    includeUsage: true,
    ...(apiKey === undefined ? {} : { apiKey }),
  })(model);
}
