export { type GatewayServer, type ServeOptions, serve } from "./serve.ts";
export { type StdioTargetOptions, stdioTarget } from "./stdio-target.ts";
