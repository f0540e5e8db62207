export type {
  CallContext,
  Clock,
  ErrorKind,
  IdSource,
  Json,
  KindedError,
  Metadata,
  Page,
  Principal,
  Redactor,
} from "./dialect.ts";
export { systemClock, systemIds, uuidSource } from "./dialect.ts";
