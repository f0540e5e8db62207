export { type GatewayServer, type ServeOptions, serve } from "./serve.ts";
export { acceptSockets } from "./sockets.ts";
export { type StdioTargetOptions, stdioTarget } from "./stdio-target.ts";
