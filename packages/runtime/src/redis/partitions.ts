import { spread, spreading } from "./spread.ts";

/** All keys of a session lie in one partition, with the lists that its changes go into: one script changes both. */
export interface Partition {
  readonly wake: string;
  readonly claims: string;
  readonly leases: string;
  index(tenant: string): string;
  session(id: string): SessionKeys;
}

export interface SessionKeys {
  readonly record: string;
  readonly events: string;
  readonly keys: string;
  readonly snapshot: string;
}

/** A partition is a hash tag: one slot of a Cluster. Their number is the deployment's for good. */
export class Partitions {
  readonly all: readonly Partition[];

  constructor(prefix: string, count: number) {
    this.all = spreading(prefix, count).map(partition);
  }

  of(session: string): Partition {
    return spread(this.all, session);
  }
}

const partition = (tag: string): Partition => ({
  wake: `${tag}wake`,
  claims: `${tag}claims`,
  leases: `${tag}leases`,
  index: (tenant) => `${tag}index:${tenant}`,
  session: (id) => ({
    record: `${tag}session:${id}`,
    events: `${tag}events:${id}`,
    keys: `${tag}keys:${id}`,
    snapshot: `${tag}snapshot:${id}`,
  }),
});
