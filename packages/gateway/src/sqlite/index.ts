export { SqliteApprovalStore } from "./sqlite-approval-store.ts";
export { SqliteGatewayStore } from "./sqlite-gateway-store.ts";
