import { createHash, timingSafeEqual } from "node:crypto";
import type { Principal } from "./dialect.ts";
import { GatewayError } from "./errors.ts";
import type { InboundAuthenticator } from "./inbound-authenticator.ts";

/** What a proxy found out about the certificate that a client showed it. */
export interface ClientCertificate {
  /** As the proxy writes it, e.g. `CN=resolver,O=acme`. */
  readonly subject: string;
  /** SHA-256 in hexadecimal, lower case, where the proxy sends it. */
  readonly fingerprint?: string;
}

export interface ProxyAuthenticatorOptions {
  /**
   * What only the proxy knows, at least 32 characters, sent with each request in `secretHeader`. A certificate in a
   * header is just text: without this anybody who reaches the port could write one.
   */
  readonly secret: string;
  /** Default `x-proxy-secret`. */
  readonly secretHeader?: string;
  /** `SUCCESS` there means that the proxy verified the certificate. Default `x-client-verify`. */
  readonly verifiedHeader?: string;
  /** Default `x-client-subject`. */
  readonly subjectHeader?: string;
  /** Default `x-client-fingerprint`. */
  readonly fingerprintHeader?: string;
  /** Who a certificate stands for; `undefined` refuses it. */
  readonly principal: (certificate: ClientCertificate) => Principal | undefined | Promise<Principal | undefined>;
}

/** Mutual TLS that ends at a proxy in front: the certificate's subject comes in a header, with the proxy's secret. */
export class ProxyAuthenticator implements InboundAuthenticator {
  readonly #options: ProxyAuthenticatorOptions;
  readonly #secret: Buffer;

  constructor(options: ProxyAuthenticatorOptions) {
    if (options.secret.length < 32) {
      throw new GatewayError("GATEWAY_INVALID", "The proxy's secret needs at least 32 characters.");
    }
    this.#options = options;
    this.#secret = digest(options.secret);
  }

  async authenticate(request: Request): Promise<Principal | undefined> {
    const {
      secretHeader = "x-proxy-secret",
      verifiedHeader = "x-client-verify",
      subjectHeader = "x-client-subject",
      fingerprintHeader = "x-client-fingerprint",
      principal,
    } = this.#options;
    const { headers } = request;
    const subject = headers.get(subjectHeader);
    if (subject === null || subject === "") return undefined;
    const fromProxy = timingSafeEqual(digest(headers.get(secretHeader) ?? ""), this.#secret);
    if (!fromProxy || headers.get(verifiedHeader) !== "SUCCESS") throw refused();
    const fingerprint = headers.get(fingerprintHeader)?.toLowerCase();
    const found = await principal({ subject, ...(fingerprint === undefined ? {} : { fingerprint }) });
    if (found === undefined) throw refused();
    return found;
  }
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

const refused = (): GatewayError =>
  new GatewayError("GATEWAY_UNAUTHENTICATED", "The client certificate is not accepted here.");
