export { type GatewayServer, type ServeOptions, serve } from "./serve.ts";
