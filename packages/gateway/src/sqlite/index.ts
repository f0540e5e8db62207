export { SqliteGatewayStore } from "./sqlite-gateway-store.ts";
