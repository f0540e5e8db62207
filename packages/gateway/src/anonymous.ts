import type { Principal } from "./dialect.ts";
import type { InboundAuthenticator } from "./inbound-authenticator.ts";

/** Lets everybody in as one principal. It has to be asked for by this name, and it warns. */
export function anyone(principal: Principal): InboundAuthenticator {
  process.emitWarning(
    `The gateway lets everybody in as tenant ${principal.tenant}: give it an InboundAuthenticator before it meets a network.`,
    { code: "ASHLAR_GATEWAY_OPEN" },
  );
  return { authenticate: async () => principal };
}
