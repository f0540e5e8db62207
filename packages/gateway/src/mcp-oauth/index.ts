export { McpOAuth, type McpOAuthOptions } from "./mcp-oauth.ts";
