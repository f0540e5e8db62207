export { BlobSessionLog, type BlobSessionLogDeps } from "./blob-session-log.ts";
export { BlobWorkspaces, type BlobWorkspacesDeps } from "./blob-workspaces.ts";
