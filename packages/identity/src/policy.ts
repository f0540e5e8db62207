import type { CallContext, Json } from "./dialect.ts";

/** A test on the call's arguments. A value that is absent or of another type fails every test but `absent`. */
export type PolicyCondition =
  | { readonly path: string; readonly equals: Json }
  | { readonly path: string; readonly in: readonly Json[] }
  | { readonly path: string; readonly atMost: number }
  | { readonly path: string; readonly atLeast: number }
  | { readonly path: string; readonly startsWith: string }
  | { readonly path: string; readonly absent: true };

/**
 * One rule. A list matches when any of its entries does; `*` in an entry stands for any run of characters. Absent
 * lists under `principal` match everybody. `path` of a condition is a JSON Pointer (RFC 6901) into the arguments.
 */
export interface Policy {
  readonly id: string;
  readonly effect: "allow" | "deny" | "ask";
  readonly principal?: {
    readonly agents?: readonly string[];
    readonly users?: readonly string[];
    readonly roles?: readonly string[];
  };
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** All must hold. */
  readonly when?: readonly PolicyCondition[];
}

/** Where policies come from, per tenant. Return the same array until they change: it is indexed once. */
export interface PolicySource {
  policies(context: CallContext): Promise<readonly Policy[]>;
}
