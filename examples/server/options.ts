import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export interface Options {
  readonly port: number;
  readonly host: string;
  /** Where everything is kept: databases, the vault's key, the operator's API key. */
  readonly data: string;
  /** The folder of agents, targets, policies and auth. */
  readonly definitions: string;
  /** Engine of the sessions. */
  readonly profile: "sqlite" | "redis" | "postgres";
  readonly tenant: string;
  /** Make an API key for this user, print it and end. */
  readonly newKey: string | undefined;
}

/** What the person who started the server can put right; shown as one sentence, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const usage = `npx -y pnpm@12 serve [options]

  --port N           4600
  --host HOST        127.0.0.1; any other address needs auth.yaml among the definitions
  --data DIR         .ashlar: databases, the vault's key, the operator's API key
  --definitions DIR  agents/*.yaml, targets/*.yaml, policies.yaml, auth.yaml (those of the example)
  --profile NAME     engine of the sessions: sqlite, redis (at REDIS_URL) or postgres (at POSTGRES_URL)
  --tenant NAME      whose sessions the operator sees (local)
  --new-key USER     make an API key for USER, print it once, and end

Models are taken from ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL (ASHLAR_MODEL names one) where a definition
says so; without any of them such an agent is answered by a scripted model.`;

const bundled = fileURLToPath(new URL("definitions", import.meta.url));

export function readOptions(argv: readonly string[]): Options {
  const { values } = parse(argv);
  const port = Number(values.port ?? 4600);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(`--port ${values.port} is no port: give 0 to 65535.`);
  }
  const profile = (["sqlite", "redis", "postgres"] as const).find((each) => each === (values.profile ?? "sqlite"));
  if (profile === undefined) {
    throw new UsageError(`--profile ${values.profile} is not known: choose sqlite, redis or postgres.`);
  }
  return {
    port,
    profile,
    host: values.host ?? "127.0.0.1",
    data: values.data ?? ".ashlar",
    definitions: values.definitions ?? bundled,
    tenant: values.tenant ?? "local",
    newKey: values["new-key"],
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        port: { type: "string" },
        host: { type: "string" },
        data: { type: "string" },
        definitions: { type: "string" },
        profile: { type: "string" },
        tenant: { type: "string" },
        "new-key": { type: "string" },
      },
    });
  } catch (error) {
    const [what] = String((error as Error).message).split(". ");
    throw new UsageError(`${what}. The options are:\n\n${usage}`);
  }
}
