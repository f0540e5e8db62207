import type { Json, Metadata } from "./dialect.ts";

export type Role = "user" | "assistant" | "tool" | "system";

/** One piece of what happened. Only conversational items are searched. */
export type EventItem =
  | {
      readonly type: "conversational";
      readonly role: Role;
      readonly text: string;
      /** Who said it, by name; a query that names one speaker prefers that one's turns. Default: the role. */
      readonly speaker?: string;
    }
  | { readonly type: "json"; readonly value: Json }
  | { readonly type: "blob"; readonly mediaType: string; readonly base64: string };

/** A session is a conversation that an actor has; its events form branches, of which the first is `main`. */
export interface BranchKey {
  /** Whose memory it is: a user, a customer, an agent. */
  readonly actor: string;
  readonly session: string;
  /** Default `main`. */
  readonly branch?: string;
}

export interface NewEvent extends BranchKey {
  readonly items: readonly EventItem[];
  readonly metadata?: Metadata;
  /** When it happened; default now. Order is the order of appending, whatever this says. */
  readonly at?: number;
  /** From then on it is not returned, and the next sweep removes it. */
  readonly expiresAt?: number;
}

/** The short form of an event: one thing said. */
export interface Turn extends BranchKey {
  readonly role: Role;
  readonly text: string;
  readonly speaker?: string;
  readonly metadata?: Metadata;
  readonly at?: number;
  readonly expiresAt?: number;
}

export interface MemoryEvent {
  readonly id: string;
  readonly actor: string;
  readonly session: string;
  readonly branch: string;
  /** Counts up from 0 within the branch. */
  readonly position: number;
  readonly items: readonly EventItem[];
  readonly metadata: Metadata;
  readonly at: number;
  readonly recordedAt: number;
  readonly expiresAt?: number;
}

export interface Branch {
  readonly actor: string;
  readonly session: string;
  readonly branch: string;
  /** The last event that this branch shares with the one it was forked from. */
  readonly from?: { readonly branch: string; readonly event: string; readonly position: number };
  readonly createdAt: number;
  readonly lastAt: number;
}
