/** The egress proxy in a process of its own; ends with the process that started it. */
import { lookup } from "node:dns/promises";
import { rm } from "node:fs/promises";
import { systemClock } from "../../dialect.ts";
import type { NetworkPolicy } from "../../network-policy.ts";
import { EgressAuthority } from "../egress-authority.ts";
import { ProxyLink } from "../proxy-link.ts";
import type { LinkSubstitution } from "../substitution.ts";
import type { OpenLink, ProxySettings } from "./messages.ts";
import { type Message, Peer } from "./peer.ts";
import { remoteCredentials } from "./remote-credentials.ts";

const links = new Map<string, ProxyLink>();
let settings: ProxySettings | undefined;
let authority: EgressAuthority | undefined;

const peer = new Peer((message) => process.send?.(message, () => {}), {
  async start(given: ProxySettings) {
    settings = given;
    authority = given.authority === undefined ? undefined : new EgressAuthority(given.authority);
  },
  async open({ link, principal, sandbox, policy }: OpenLink) {
    if (settings === undefined) throw new Error("start comes first");
    const { ca, authority: _, ...limits } = settings;
    const substitution: { substitution?: LinkSubstitution } =
      authority === undefined
        ? {}
        : {
            substitution: {
              credentials: remoteCredentials(peer, link),
              authority,
              ...(ca === undefined ? {} : { ca }),
            },
          };
    // What a process before this one left.
    await rm(link, { force: true });
    const opened = new ProxyLink({
      ...limits,
      ...substitution,
      ...{ principal, sandbox, policy, lookup, socketPath: link, clock: systemClock },
      log: { record: (decision) => void peer.call("decided", { link, decision }).catch(() => {}) },
      onClose: async () => void links.delete(link),
    });
    await opened.listen();
    links.set(link, opened);
  },
  setPolicy: async ({ link, policy }: { readonly link: string; readonly policy: NetworkPolicy }) =>
    await links.get(link)?.setPolicy(policy),
  close: async ({ link }: { readonly link: string }) => await links.get(link)?.close(),
});

process.on("message", (message: Message) => void peer.take(message));
process.once("disconnect", () => process.exit(0));
