export type {
  AgentPage,
  InvokeBody,
  Invoked,
  MessageBody,
  OpenBody,
  Opened,
  ProblemBody,
  Sent,
  SocketMessage,
  SocketReply,
  StopBody,
  StreamedEvent,
} from "../agents/schemas.ts";
export type { Json, Metadata } from "../dialect.ts";
export { AgentClient, type AgentClientOptions, AgentHandle, SessionHandle } from "./agent-client.ts";
export { AgentClientError } from "./errors.ts";
