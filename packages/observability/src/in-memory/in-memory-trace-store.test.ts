import { test } from "vitest";
import { traceStoreConformance } from "../testing/trace-store-conformance.ts";
import { InMemoryTraceStore } from "./in-memory-trace-store.ts";

traceStoreConformance({ test, createStore: () => new InMemoryTraceStore() });
