import { test } from "vitest";
import {
  blobStoreConformance,
  catalogConformance,
  liveBusConformance,
  sessionLogConformance,
  workQueueConformance,
} from "../testing/index.ts";
import { InMemoryBlobStore, InMemoryCatalog, InMemoryLiveBus, InMemorySessionLog, InMemoryWorkQueue } from "./index.ts";

sessionLogConformance({ test, createLog: (deps) => new InMemorySessionLog(deps) });
workQueueConformance({ test, createQueue: (deps) => new InMemoryWorkQueue(deps) });
liveBusConformance({ test, createBus: () => new InMemoryLiveBus() });
catalogConformance({ test, createCatalog: () => new InMemoryCatalog() });
blobStoreConformance({ test, createStore: () => new InMemoryBlobStore() });
