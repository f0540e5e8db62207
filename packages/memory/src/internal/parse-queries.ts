import { z } from "zod";
import type { ListEvents } from "../events.ts";
import type { ListRecords } from "../records.ts";
import type { SearchQuery } from "../search.ts";
import { filterList } from "./filters.ts";
import { instant, kind, name, namespacePath, parse } from "./parse.ts";

const limit = z.int().min(1).max(1_000).exactOptional();
const cursor = z.string().max(4_096).exactOptional();
const flag = z.boolean().exactOptional();
const at = instant.exactOptional();
const filters = filterList.exactOptional();
const kinds = z.array(kind).min(1).exactOptional();

const search = z.strictObject({
  text: z.string(),
  topK: limit,
  sources: z
    .array(z.enum(["events", "records"]))
    .min(1)
    .max(2)
    .exactOptional(),
  actor: name.exactOptional(),
  session: name.exactOptional(),
  namespace: namespacePath.exactOptional(),
  kinds,
  filters,
  explain: flag,
  asOf: at,
  validAt: at,
});

const listEvents = z.strictObject({
  actor: name,
  session: name,
  branch: name.exactOptional(),
  limit,
  reverse: flag,
  cursor,
  withParents: flag,
  after: z.int().min(-1).exactOptional(),
  from: at,
  before: at,
  filters,
});

const listRecords = z.strictObject({
  namespace: namespacePath.exactOptional(),
  exact: flag,
  kinds,
  withSuperseded: flag,
  filters,
  limit,
  cursor,
  asOf: at,
  validAt: at,
});

interface ListBranches {
  readonly actor?: string;
  readonly session?: string;
  readonly limit?: number;
  readonly cursor?: string;
}
const listBranches = z.strictObject({ actor: name.exactOptional(), session: name.exactOptional(), limit, cursor });

interface ListNamespaces {
  readonly namespace?: string;
  readonly limit?: number;
  readonly cursor?: string;
}
const listNamespaces = z.strictObject({ namespace: namespacePath.exactOptional(), limit, cursor });

interface Fork {
  readonly from: string;
  readonly branch: string;
}
const fork = z.strictObject({ from: z.string().min(1).max(1_024), branch: name });

export const parseFork = (value: Fork): Fork => parse(fork, value, "fork");
export const parseSearch = (value: SearchQuery): SearchQuery => parse(search, value, "query");
export const parseListEvents = (value: ListEvents): ListEvents => parse(listEvents, value, "query");
export const parseListRecords = (value: ListRecords): ListRecords => parse(listRecords, value, "query");
export const parseListBranches = (value: ListBranches): ListBranches => parse(listBranches, value, "query");
export const parseListNamespaces = (value: ListNamespaces): ListNamespaces => parse(listNamespaces, value, "query");
