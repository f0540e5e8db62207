import { canonicalDigest } from "./internal/canonical-digest.ts";
import type { ToolDescription } from "./tool-source.ts";

/** Of everything that a model is told about a tool: what to pin once somebody has read and approved it. */
export const toolDigest = ({ name, description, inputSchema }: ToolDescription): string =>
  canonicalDigest([name, description ?? null, inputSchema]);
