import type { Principal } from "../dialect.ts";

/** One connection asked for from inside a sandbox, and what became of it. Holds no path, header or body. */
export interface EgressDecision {
  readonly at: number;
  readonly principal: Principal;
  readonly sandbox: string;
  readonly host: string;
  readonly port: number;
  readonly effect: "allow" | "deny";
  /**
   * `policy`, `address`, `name`, `server_name`, `unreachable`, `connections`; for a request to a host with a credential
   * `substituted` (it went out as the credentials port gave it back), `credentials` (the port refused it) or
   * `certificate` (the host did not prove its name).
   */
  readonly reason: string;
  /** The address that was dialled. */
  readonly address?: string;
}

export interface EgressLog {
  record(decision: EgressDecision): void;
}
