export {
  type ComparedRow,
  compareSessions,
  type SessionComparison,
  type SideFigures,
} from "./comparison/compare-sessions.ts";
export { type ConsoleHandlerOptions, consoleHandler } from "./console/console-handler.ts";
export type { EvaluatedVersion } from "./console/side-by-side.ts";
export { conventionProblems } from "./conventions/check-span.ts";
export { GEN_AI_CONVENTIONS_VERSION, GEN_AI_SCHEMA_URL } from "./conventions/gen-ai-model.ts";
export {
  type Budget,
  type BudgetAction,
  type BudgetOverrun,
  BudgetWatch,
  type BudgetWatchDeps,
} from "./cost/budget-watch.ts";
export { type CostDeps, type CostQuery, type CostRow, costs } from "./cost/costs.ts";
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
export { ObservabilityError, type ObservabilityErrorCode } from "./errors.ts";
export { compareVersions, type VersionComparison } from "./evaluation/compare-versions.ts";
export { casesFromSessions, type Evaluation, evaluate, readSession } from "./evaluation/evaluate.ts";
export type { EvaluationCase, Evaluator, JudgeModel, Judgement } from "./evaluation/evaluator.ts";
export { exportEvaluations } from "./evaluation/export-evaluations.ts";
export { RubricEvaluator, type RubricEvaluatorDeps } from "./evaluation/rubric-evaluator.ts";
export { InMemoryTraceStore } from "./in-memory/index.ts";
export { type OtlpReceiverOptions, otlpReceiver } from "./otlp/otlp-receiver.ts";
export type { Permissions } from "./permissions.ts";
export { type ModelPrice, PriceTable, type PriceTableOptions, parsePriceTable } from "./price-table.ts";
export type { Price, Pricing, TokenUsage } from "./pricing.ts";
export { type PrintSideBySideOptions, printSideBySide } from "./printing/print-side-by-side.ts";
export { type PrintTimelineOptions, printTimeline } from "./printing/print-timeline.ts";
export { type PrintTracesOptions, printTraces } from "./printing/print-traces.ts";
export {
  combineRedactors,
  PatternRedactor,
  type PatternRedactorOptions,
  type RedactionRule,
} from "./redaction/pattern-redactor.ts";
export type { SessionCheck, SessionControl } from "./session-control.ts";
export type { BlobRef, SessionEvent } from "./session-event.ts";
export type { SessionReader, SessionSummary } from "./session-reader.ts";
export type { SpanAttributes, SpanRecord, SpanRecordEvent, SpanRecordKind, SpanRecordStatus } from "./span-record.ts";
export type { BoundedQueueOptions } from "./telemetry/bounded-queue.ts";
export {
  type ConsoleExporterOptions,
  consoleExporter,
  type OtlpExporterOptions,
  otlpExporter,
  type StoreExporterOptions,
  storeExporter,
  type TelemetryExporter,
} from "./telemetry/exporters.ts";
export { type PrometheusEndpoint, prometheusExporter } from "./telemetry/prometheus-exporter.ts";
export type { SinkStatus, SpanSink } from "./telemetry/span-sink.ts";
export { type Observability, type ObservabilityOptions, startObservability } from "./telemetry/start-observability.ts";
export type { TraceQuery, TraceStore, TraceSummary, UsageKey, UsageQuery, UsageRow } from "./trace-store.ts";
