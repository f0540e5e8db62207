import type { CallContext, Redactor } from "../../dialect.ts";
import type { EgressCredentials, OutboundRequest } from "../../egress-credentials.ts";
import { type AnswerHeaders, cleanerOf } from "../answer-cleaner.ts";
import type { SentRequest } from "./messages.ts";
import type { Methods, Peer } from "./peer.ts";

/** Answers for the credentials port here what the proxy's process asks, for links that were opened here. */
export function servedCredentials(
  credentials: EgressCredentials,
  contextOf: (link: string) => CallContext,
  peer: () => Peer,
): Methods {
  const grants = new Map<number, Redactor>();
  const streams = new Map<number, WritableStreamDefaultWriter<Uint8Array>>();
  let next = 1;
  const redactorOf = (grant: number): Redactor => {
    const redactor = grants.get(grant);
    if (redactor === undefined) throw new Error("There is no such grant.");
    return redactor;
  };
  return {
    hosts: ({ link }: { readonly link: string }) => credentials.hosts(contextOf(link)),
    async substitute({ link, request }: { readonly link: string; readonly request: SentRequest }) {
      const { body, ...rest } = request;
      const asked: OutboundRequest = body === undefined ? rest : { ...rest, body: peer().accept(body) };
      const granted = await credentials.substitute(contextOf(link), asked);
      const grant = next++;
      grants.set(grant, granted.redactor);
      const { body: back, ...kept } = granted.request;
      return { grant, request: back === undefined ? kept : { ...kept, body: peer().offer(back) } };
    },
    clean: ({ grant, headers }: { readonly grant: number; readonly headers: AnswerHeaders }) =>
      cleanerOf(redactorOf(grant)).headers(headers),
    async cleanStream({ grant }: { readonly grant: number }) {
      const { readable, writable } = redactorOf(grant).stream();
      const id = next++;
      streams.set(id, writable.getWriter());
      return { id, body: peer().offer(readable) };
    },
    cleanWrite: async ({ id, piece }: { readonly id: number; readonly piece: Uint8Array }) =>
      await streams.get(id)?.write(piece),
    async cleanEnd({ id, aborted }: { readonly id: number; readonly aborted?: boolean }) {
      const writer = streams.get(id);
      streams.delete(id);
      await (aborted ? writer?.abort() : writer?.close());
    },
    release: async ({ grant }: { readonly grant: number }) => void grants.delete(grant),
  };
}
