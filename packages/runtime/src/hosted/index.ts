export { type HostedAgentOptions, hostedAgent } from "./hosted-agent.ts";
export { type Channel, type HostedSession, serveHosted } from "./serve-hosted.ts";
