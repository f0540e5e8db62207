export { nodeListener, type Served } from "./listener.ts";
export { type GatewayServer, type ServeOptions, serve } from "./serve.ts";
export { acceptSockets } from "./sockets.ts";
export { type StdioTargetOptions, stdioTarget } from "./stdio-target.ts";
