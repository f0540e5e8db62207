import { test } from "vitest";
import { memoryStoreConformance } from "../testing/index.ts";
import { InMemoryMemoryStore } from "./index.ts";

memoryStoreConformance({ test, createStore: () => new InMemoryMemoryStore() });
