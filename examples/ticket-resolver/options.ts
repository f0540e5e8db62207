import { parseArgs } from "node:util";

export interface Options {
  readonly ticket: string;
  readonly memory: "sqlite" | "redis";
  readonly profile: "sqlite" | "redis" | "postgres";
  /** Where the job keeps its files; a fresh temporary folder when absent. */
  readonly data: string | undefined;
  readonly keyFile: string | undefined;
  /** Port of the gateway; 0 takes a free one. */
  readonly port: number;
  readonly crashes: boolean;
  readonly idempotencyKeys: boolean;
}

/** What the person who started the job can put right; shown as one sentence, without a stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const usage = `npx -y pnpm@12 start [options]

  --ticket ID        the ticket to resolve (T-9421)
  --memory NAME      sqlite (default) or redis
  --profile NAME     engine of the sessions: sqlite (default), redis or postgres,
                     on which two workers share them
  --data DIR         keep the files there (a temporary folder)
  --key-file FILE    the vault's key (made in the data folder)
  --port N           port of the gateway (a free one)
  --no-crashes       do not kill the runtime at its three points
  --without-idempotency-key
                     the control: the refund's key is dropped, and the crash pays twice

A model is taken from ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL (ASHLAR_MODEL names it); else it is scripted.
REDIS_URL and POSTGRES_URL name servers that you run; without them private ones are started.`;

export function readOptions(argv: readonly string[]): Options {
  const { values } = parse(argv);
  const port = Number(values.port ?? 0);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port ${values.port} is no port: give 0 to 65535.`);
  return {
    ticket: values.ticket ?? "T-9421",
    memory: oneOf("memory", values.memory ?? "sqlite", ["sqlite", "redis"]),
    profile: oneOf("profile", values.profile ?? "sqlite", ["sqlite", "redis", "postgres"]),
    data: values.data,
    keyFile: values["key-file"],
    port,
    crashes: values["no-crashes"] !== true,
    idempotencyKeys: values["without-idempotency-key"] !== true,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        ticket: { type: "string" },
        memory: { type: "string" },
        profile: { type: "string" },
        data: { type: "string" },
        "key-file": { type: "string" },
        port: { type: "string" },
        "no-crashes": { type: "boolean" },
        "without-idempotency-key": { type: "boolean" },
      },
    });
  } catch (error) {
    const [what] = String((error as Error).message).split(". ");
    throw new UsageError(`${what}. The options are:\n\n${usage}`);
  }
}

function oneOf<Name extends string>(flag: string, value: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === value);
  if (found === undefined) throw new UsageError(`--${flag} ${value} is not known: choose ${names.join(" or ")}.`);
  return found;
}
