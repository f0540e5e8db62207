import { ContainerModule } from "inversify";
import { Approvals } from "../approvals.ts";
import { Gateway } from "../gateway.ts";
import type { GatewayDeps } from "../gateway-deps.ts";
import { optional, refuseRebind } from "./binding.ts";
import {
  AGENT_SESSIONS,
  APPROVAL_STORE,
  CLOCK,
  CREDENTIAL_INJECTOR,
  GATEWAY,
  GATEWAY_TOOLS,
  INBOUND_AUTHENTICATOR,
  PERMISSIONS,
  PRICING,
  RATE_LIMITER,
  SLOT_LIMITER,
} from "./tokens.ts";

export type GatewayModuleOptions = Omit<GatewayDeps, "authenticator" | "agents" | "injector" | "permissions" | "clock">;

/** A `Gateway` and its tools; needs `INBOUND_AUTHENTICATOR`, takes the other ports where they are bound. */
export const gatewayModule = (options: GatewayModuleOptions = {}): ContainerModule =>
  new ContainerModule((load) => {
    refuseRebind(load, GATEWAY, GATEWAY_TOOLS);
    load
      .bind(GATEWAY)
      .toResolvedValue(
        (authenticator, agents, injector, permissions, limiter, slots, pricing, approvalStore, clock) =>
          new Gateway({
            ...(approvalStore === undefined
              ? {}
              : { approvals: new Approvals({ store: approvalStore, ...(clock === undefined ? {} : { clock }) }) }),
            ...options,
            authenticator,
            ...(agents === undefined ? {} : { agents }),
            ...(injector === undefined ? {} : { injector }),
            ...(permissions === undefined ? {} : { permissions }),
            ...(clock === undefined ? {} : { clock }),
            limits: {
              rules: [],
              ...(limiter === undefined ? {} : { limiter }),
              ...(slots === undefined ? {} : { slots }),
              ...(pricing === undefined ? {} : { pricing }),
              ...options.limits,
            },
          }),
        [
          INBOUND_AUTHENTICATOR,
          optional(AGENT_SESSIONS),
          optional(CREDENTIAL_INJECTOR),
          optional(PERMISSIONS),
          optional(RATE_LIMITER),
          optional(SLOT_LIMITER),
          optional(PRICING),
          optional(APPROVAL_STORE),
          optional(CLOCK),
        ],
      )
      .inSingletonScope()
      .onDeactivation((gateway) => gateway.close());
    load.bind(GATEWAY_TOOLS).toResolvedValue((gateway) => gateway.tools, [GATEWAY]);
  });
