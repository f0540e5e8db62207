import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ToolSource } from "@ashlar/runtime";
import type { CrashPoint, WorkerConfig } from "./config.ts";

/** Kills this very process, as a power cut would, at points around the refund: whoever comes to a point first. */
export function crashing(source: ToolSource, { crashes, data }: WorkerConfig): ToolSource {
  const pass = (point: CrashPoint) => {
    if (crashes.includes(point) && isFirst(join(data, `killed ${point}`))) process.kill(process.pid, "SIGKILL");
  };
  let refunded = false;
  return {
    list: (context) => source.list(context),
    async call(context, name, args) {
      if (refunded) pass("after it is recorded");
      if (name !== "refund_charge") return source.call(context, name, args);
      pass("before the refund is sent");
      const result = await source.call(context, name, args);
      pass("after it is committed");
      refunded = true;
      return result;
    },
  };
}

function isFirst(mark: string): boolean {
  try {
    mkdirSync(mark);
    return true;
  } catch {
    return false;
  }
}

/** The control of the whole job: without its key, the system on the other side cannot know a repeated call. */
export function withoutIdempotencyKeys(source: ToolSource): ToolSource {
  return {
    list: (context) => source.list(context),
    call: ({ idempotencyKey: _, ...context }, name, args) => source.call(context, name, args),
  };
}
