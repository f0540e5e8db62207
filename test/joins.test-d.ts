/** The shape of every joint: a provider's class, given where the consumer's port is asked for, must compile. */
import type * as gateway from "@ashlar/gateway";
import type * as memory from "@ashlar/memory";
import type * as observability from "@ashlar/observability";
import type * as runtime from "@ashlar/runtime";

/** Compiles only if `Provider` fits `Port`. */
type Fits<Port, Provider extends Port> = Provider;

export type Joints = [
  Fits<runtime.SessionMemory, memory.SessionMemoryAdapter>,
  Fits<runtime.ToolSource, gateway.Gateway["tools"]>,
  Fits<runtime.Pricing, observability.PriceTable>,
  Fits<gateway.Pricing, observability.PriceTable>,
];
