export { CallbackExtractor } from "./callback-extractor.ts";
export { CachedMemoryStore } from "./decorators/cached-memory-store.ts";
export { TracedMemoryStore } from "./decorators/traced-memory-store.ts";
export type { MemoryDefinition, NewDefinition } from "./definition.ts";
export type { Definitions } from "./definitions.ts";
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
export type { Documents, DocumentVersion, MemoryDocument } from "./documents.ts";
export type { Embedder } from "./embedder.ts";
export { EpisodeExtractor } from "./episode-extractor.ts";
export { MemoryError, type MemoryErrorCode } from "./errors.ts";
export type { Branch, BranchKey, EventItem, MemoryEvent, NewEvent, Role, Turn } from "./event.ts";
export type { Events, ListEvents } from "./events.ts";
export type { ExtractionJob, ExtractionJobs, ExtractionReport } from "./extraction.ts";
export type { Extraction, ExtractionOptions, ExtractionWindow, Extractor, Strategy } from "./extractor.ts";
export type { Filter } from "./filter.ts";
export { InMemoryMemoryStore } from "./in-memory/index.ts";
export type { AuditEntry, ForgetTarget, Lifecycle, Removed } from "./lifecycle.ts";
export { type Limits, limits } from "./limits.ts";
export { Memory, type MemoryDeps } from "./memory.ts";
export type { Batch, Entry, Found, Lookup, MemoryStore, Posting, PostingList, Range, Scope } from "./memory-store.ts";
export { MemoryTools, type MemoryToolsDeps } from "./memory-tools.ts";
export { defaultRanking, type Explanation, type Ranking } from "./ranking.ts";
export type {
  AsOf,
  MemoryRecord,
  NewRecord,
  RecordChanges,
  RecordKind,
  RecordOperation,
  RecordOutcome,
  RecordReference,
} from "./record.ts";
export type { ListRecords, Records } from "./records.ts";
export type { Reflection, Reflections, ReflectOn } from "./reflection.ts";
export type { PastSession, ReflectionMaterial, Reflector, Revision } from "./reflector.ts";
export { defaultRules, type ExtractionRule, RuleExtractor } from "./rule-extractor.ts";
export { RuleReflector } from "./rule-reflector.ts";
export type { SearchHit, SearchQuery } from "./search.ts";
export { SessionMemoryAdapter, type SessionMemoryAdapterDeps } from "./session-memory-adapter.ts";
export { SummaryExtractor } from "./summary-extractor.ts";
export type { Transfer } from "./transfer.ts";
