export type {
  GetOperation,
  Item,
  ListNamespacesOperation,
  Operation,
  OperationResults,
  PutOperation,
  SearchItem,
  SearchOperation,
} from "./base-store.ts";
export { LangGraphStore, type LangGraphStoreDeps } from "./lang-graph-store.ts";
