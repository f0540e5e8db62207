export { type HostedAgentOptions, hostedAgent, type Place } from "./hosted-agent.ts";
export { type Channel, type HostedSession, serveHosted } from "./serve-hosted.ts";
