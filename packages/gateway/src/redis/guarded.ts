import { GatewayError } from "../errors.ts";

/** What Redis answers; its failure as the package's own. `asked` is who asked. */
export async function guarded<T>(command: Promise<T>, asked: "store" | "limiter"): Promise<T> {
  try {
    return await command;
  } catch (cause) {
    throw new GatewayError("GATEWAY_BACKEND_FAILED", `Redis did not answer the gateway's ${asked}.`, { cause });
  }
}
