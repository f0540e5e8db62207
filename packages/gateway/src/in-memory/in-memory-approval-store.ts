import type { ApprovalAnswer, ApprovalRecord, ApprovalStore } from "../approval-store.ts";
import type { Page } from "../dialect.ts";

const keyOf = (tenant: string, id: string): string => JSON.stringify([tenant, id]);

export class InMemoryApprovalStore implements ApprovalStore {
  readonly #records = new Map<string, ApprovalRecord>();

  async hold(record: ApprovalRecord): Promise<ApprovalRecord> {
    const key = keyOf(record.principal.tenant, record.id);
    const kept = this.#records.get(key);
    if (kept !== undefined && kept.expiresAt > record.requestedAt) return structuredClone(kept);
    this.#records.delete(key);
    this.#records.set(key, structuredClone(record));
    return record;
  }

  async open(
    tenant: string,
    { now, cursor, limit = 100 }: { readonly now: number; readonly cursor?: string; readonly limit?: number },
  ): Promise<Page<ApprovalRecord>> {
    const all = [...this.#records.values()].filter(
      ({ principal, answer, expiresAt }) => principal.tenant === tenant && answer === undefined && expiresAt > now,
    );
    all.sort((left, right) => left.requestedAt - right.requestedAt || (left.id < right.id ? -1 : 1));
    const from = cursor === undefined ? 0 : all.findIndex((record) => after(record, cursor));
    const items = from < 0 ? [] : all.slice(from, from + limit);
    const last = items.at(-1);
    return {
      items: structuredClone(items),
      ...(last === undefined || all.at(-1) === last ? {} : { cursor: `${last.requestedAt}:${last.id}` }),
    };
  }

  async answer(tenant: string, id: string, answer: ApprovalAnswer): Promise<boolean> {
    const key = keyOf(tenant, id);
    const kept = this.#records.get(key);
    if (kept === undefined || kept.answer !== undefined || kept.expiresAt <= answer.at) return false;
    this.#records.set(key, { ...kept, answer: structuredClone(answer) });
    return true;
  }

  async take(tenant: string, id: string): Promise<ApprovalRecord | undefined> {
    const key = keyOf(tenant, id);
    const kept = this.#records.get(key);
    if (kept?.answer === undefined) return undefined;
    this.#records.delete(key);
    return kept;
  }

  async close(): Promise<void> {
    this.#records.clear();
  }
}

function after({ requestedAt, id }: ApprovalRecord, cursor: string): boolean {
  const split = cursor.indexOf(":");
  const at = Number(cursor.slice(0, split));
  return requestedAt > at || (requestedAt === at && id > cursor.slice(split + 1));
}
