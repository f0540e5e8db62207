import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { CallContext } from "../dialect.ts";
import type { EgressGateway, EgressLink } from "../egress.ts";
import { ToolsError } from "../errors.ts";
import type { NetworkMode } from "../network-policy.ts";
import type { SandboxMount, SandboxSpec } from "../sandbox-spec.ts";
import type { GuestSandboxDeps } from "./guest-sandbox.ts";

/** Where Debian and its kin keep the public authorities in one file. */
const SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";
const BUNDLE_INSIDE = "/run/egress-certificates.pem";
const FOLDER_INSIDE = "/run/egress";

/** For OpenSSL and Python, Node, requests and pip, curl, git. */
const CERTIFICATE_VARIABLES: Readonly<Record<string, string>> = {
  SSL_CERT_FILE: BUNDLE_INSIDE,
  NODE_EXTRA_CA_CERTS: BUNDLE_INSIDE,
  REQUESTS_CA_BUNDLE: BUNDLE_INSIDE,
  CURL_CA_BUNDLE: BUNDLE_INSIDE,
  GIT_SSL_CAINFO: BUNDLE_INSIDE,
};

/** In PEM, for programs that keep a store of their own: the authorities beside the public ones. */
export const AUTHORITIES_VARIABLE = "EGRESS_AUTHORITIES";

/** The way out that a spec asks for; `TOOLS_UNSUPPORTED` where the backend was given no gateway to open it. */
export async function openWayOut(
  gateway: EgressGateway | undefined,
  context: CallContext,
  sandbox: string,
  { network: policy = { mode: "none" } }: SandboxSpec,
): Promise<EgressLink | undefined> {
  if (policy.mode === "none") return undefined;
  if (gateway === undefined) {
    throw new ToolsError("TOOLS_UNSUPPORTED", "The network needs an egress gateway: give one to the backend.");
  }
  return await gateway.open(context, { sandbox, policy });
}

export const offeredNetworks = (gateway: EgressGateway | undefined): readonly NetworkMode[] =>
  gateway === undefined ? ["none"] : ["none", "allow", "packages", "open"];

/** What the host shows inside for it: the folder of its socket, and the authorities in a file that is written here. */
export function shownFor(link: EgressLink | undefined, bundle: string): readonly SandboxMount[] {
  if (link === undefined) return [];
  const folder = { source: dirname(link.socketPath), target: FOLDER_INSIDE };
  if (link.certificates === undefined) return [folder];
  const system = readSystem();
  writeFileSync(bundle, `${system ?? ""}\n${link.certificates.trim()}\n`, { mode: 0o644 });
  const places = system === undefined ? [BUNDLE_INSIDE] : [BUNDLE_INSIDE, SYSTEM_BUNDLE];
  return [folder, ...places.map((target) => ({ source: bundle, target }))];
}

/** What the guest is told of it. */
export const guestEgress = (link: EgressLink | undefined): GuestSandboxDeps["egress"] =>
  link === undefined
    ? undefined
    : {
        link,
        socketInside: `${FOLDER_INSIDE}/${basename(link.socketPath)}`,
        variables:
          link.certificates === undefined
            ? {}
            : { ...CERTIFICATE_VARIABLES, [AUTHORITIES_VARIABLE]: link.certificates.trim() },
      };

function readSystem(): string | undefined {
  try {
    return readFileSync(SYSTEM_BUNDLE, "utf8");
  } catch {
    return undefined;
  }
}
