export { DiskBlobStore, type DiskBlobStoreDeps } from "./disk-blob-store.ts";
