import type { Answer } from "./answer.ts";
import type { CredentialInjector } from "./credential-injector.ts";
import type { CallContext, Clock } from "./dialect.ts";
import type { ToolSource } from "./tool-source.ts";
import type { Transport } from "./transport.ts";

/** A message of an MCP client on its way to an MCP server, with the headers that belong to the protocol. */
export interface ForwardedMessage {
  readonly method: "GET" | "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** Something whose tools the gateway offers. Any `ToolSource` with a name is one. */
export interface Target extends ToolSource {
  /** 1 to 32 of `a-z A-Z 0-9 _ -`, without `___`: the prefix of its tools where several targets share an endpoint. */
  readonly name: string;
  /** Has it when it speaks MCP itself: a message goes through and its answer comes back as they are. */
  forward?(context: CallContext, message: ForwardedMessage): Promise<Answer>;
  close?(): Promise<void>;
}

/** What a gateway lends to the targets that it makes. */
export interface TargetParts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly injector?: CredentialInjector;
}

/** A target to be made by the gateway that takes it; made anew by each. */
export type TargetFactory = (parts: TargetParts) => Target;

/** Who pays with which credential: a reference that the `CredentialInjector` resolves at the call. */
export interface TargetAuth {
  readonly credentialRef: string;
}
