import type { ToolSource } from "@ashlar/runtime";
import type { CrashPoint } from "./config.ts";

/** Kills this very process, as a power cut would, at one point around the refund. */
export function crashing(source: ToolSource, point: CrashPoint | undefined): ToolSource {
  const die = () => process.kill(process.pid, "SIGKILL");
  let refunded = false;
  return {
    list: (context) => source.list(context),
    async call(context, name, args) {
      if (refunded && point === "after it is recorded") die();
      if (name !== "refund_charge") return source.call(context, name, args);
      if (point === "before the refund is sent") die();
      const result = await source.call(context, name, args);
      if (point === "after it is committed") die();
      refunded = true;
      return result;
    },
  };
}

/** The control of the whole job: without its key, the system on the other side cannot know a repeated call. */
export function withoutIdempotencyKeys(source: ToolSource): ToolSource {
  return {
    list: (context) => source.list(context),
    call: ({ idempotencyKey: _, ...context }, name, args) => source.call(context, name, args),
  };
}
