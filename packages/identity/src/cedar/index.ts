export { CedarPermissions, type CedarPermissionsDeps } from "./cedar-permissions.ts";
