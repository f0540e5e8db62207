import type { SessionEvent } from "../session-event.ts";

/** How far one claim knows the end of its session's log, so that it reads only what others have written. */
export class Tail {
  /** Every event up to this `seq` was read or written by this claim. */
  seen: number;
  /** The last `seq` that is known to be there. */
  head: number;

  constructor(seen: number, head: number) {
    this.seen = seen;
    this.head = head;
  }

  /** Somebody else has written in between. */
  get behind(): boolean {
    return this.seen < this.head;
  }

  read({ seq }: SessionEvent): void {
    this.seen = seq;
    this.head = Math.max(this.head, seq);
  }

  /** What this claim has written: known without a gap, it need not be read. */
  wrote(events: readonly SessionEvent[]): void {
    for (const { seq } of events) {
      if (seq === this.seen + 1) this.seen = seq;
      this.head = Math.max(this.head, seq);
    }
  }
}
