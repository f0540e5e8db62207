import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import { type Clock, systemClock } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { isAddress } from "./host-name.ts";

const COMMON_NAME = "2.5.4.3";
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const HOUR_MS = 3_600_000;
const LEAF_MS = 24 * HOUR_MS;
const MAX_LEAVES = 1_000;

export interface EgressAuthorityDeps {
  /** PEM. Made once per installation by `createEgressAuthority`, kept by the team. */
  readonly certificate: string;
  /** PEM of the certificate's EC P-256 private key. Whoever has it can read what sandboxes say to bound hosts. */
  readonly key: string;
  readonly clock?: Clock;
}

/** The authority under which the egress proxy ends TLS. To be trusted inside sandboxes, and nowhere else. */
export class EgressAuthority {
  /** PEM. */
  readonly certificate: string;
  readonly #key: KeyObject;
  readonly #issuer: X509Certificate;
  readonly #subject: Name;
  readonly #keyId: ArrayBuffer;
  readonly #clock: Clock;
  readonly #leafKey: KeyObject = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  readonly #leaves = new Map<string, { readonly context: SecureContext; readonly renewAt: number }>();

  constructor({ certificate, key, clock = systemClock }: EgressAuthorityDeps) {
    this.certificate = certificate;
    this.#clock = clock;
    try {
      this.#issuer = new X509Certificate(certificate);
      this.#key = createPrivateKey(key);
      const { subject, extensions } = AsnConvert.parse(this.#issuer.raw, Certificate).tbsCertificate;
      const own = extensions?.find(({ extnID }) => extnID === id_ce_subjectKeyIdentifier)?.extnValue.buffer;
      this.#subject = subject;
      this.#keyId = own === undefined ? keyId(createPublicKey(this.#key)) : AsnConvert.parse(own, KeyIdentifier).buffer;
    } catch {
      throw refused("The certificate or the key of the egress authority is not PEM.");
    }
    if (!this.#issuer.ca || !this.#issuer.checkPrivateKey(this.#key)) {
      throw refused("The egress authority's certificate is not one of an authority, or the key is not its key.");
    }
    if (this.#key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
      throw refused("The egress authority's key is not an EC P-256 key: make one with `createEgressAuthority`.");
    }
  }

  /** What a TLS server for this host presents: made at the first call, and anew before it ends. */
  contextFor(host: string): SecureContext {
    const now = this.#clock.now();
    const known = this.#leaves.get(host);
    if (known !== undefined && now < known.renewAt) return known.context;
    const { certificate, key } = this.leaf(host);
    const context = createSecureContext({ cert: certificate, key, minVersion: "TLSv1.2" });
    const [oldest] = this.#leaves.keys();
    if (this.#leaves.size >= MAX_LEAVES && oldest !== undefined) this.#leaves.delete(oldest);
    this.#leaves.delete(host);
    this.#leaves.set(host, { context, renewAt: now + LEAF_MS - HOUR_MS });
    return context;
  }

  /** A server's certificate for one name or address, good for a day, with its key; both PEM. */
  leaf(host: string): { readonly certificate: string; readonly key: string } {
    const now = this.#clock.now();
    if (this.#issuer.validToDate.getTime() <= now) {
      throw new ToolsError("TOOLS_NETWORK_REFUSED", "The egress authority's certificate has expired: make another.");
    }
    const name = isAddress(host) ? new GeneralName({ iPAddress: host }) : new GeneralName({ dNSName: host });
    const der = certify({
      subject: new Name(),
      issuer: this.#subject,
      issuerKeyId: this.#keyId,
      publicKey: createPublicKey(this.#leafKey),
      signer: this.#key,
      from: now - HOUR_MS,
      to: now + LEAF_MS,
      extensions: [
        extension(id_ce_subjectAltName, new SubjectAlternativeName([name]), true),
        extension(id_ce_basicConstraints, new BasicConstraints(), true),
        extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
        extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
      ],
    });
    return { certificate: pem(der), key: String(this.#leafKey.export({ type: "pkcs8", format: "pem" })) };
  }
}

/** A new authority for one installation. `expiresAt` is ten years from now by default. */
export function createEgressAuthority(
  options: { readonly name?: string; readonly expiresAt?: number; readonly clock?: Clock } = {},
): { readonly certificate: string; readonly key: string } {
  const now = (options.clock ?? systemClock).now();
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const commonName = new AttributeTypeAndValue({
    type: COMMON_NAME,
    value: new AttributeValue({ utf8String: options.name ?? "Ashlar egress" }),
  });
  const subject = new Name([new RelativeDistinguishedName([commonName])]);
  const der = certify({
    ...{ subject, issuer: subject, issuerKeyId: keyId(publicKey), publicKey, signer: privateKey },
    from: now - HOUR_MS,
    to: options.expiresAt ?? now + 3_650 * 24 * HOUR_MS,
    extensions: [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), true),
    ],
  });
  return { certificate: pem(der), key: String(privateKey.export({ type: "pkcs8", format: "pem" })) };
}

interface Certified {
  readonly subject: Name;
  readonly issuer: Name;
  readonly issuerKeyId: ArrayBuffer;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly from: number;
  readonly to: number;
  readonly extensions: readonly Extension[];
}

/** A certificate of version 3 (RFC 5280, 4.1), signed with ECDSA and SHA-256, in DER. */
function certify({ subject, issuer, issuerKeyId, publicKey, signer, from, to, extensions }: Certified): Buffer {
  const serialNumber = randomBytes(16);
  serialNumber[0] = 0x40 | ((serialNumber[0] ?? 0) & 0x3f);
  const signatureAlgorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const issuerId = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(issuerKeyId) });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: bytes(serialNumber),
    signature: signatureAlgorithm,
    issuer,
    validity: new Validity({ notBefore: new Date(from), notAfter: new Date(to) }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(spki(publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions([
      ...extensions,
      extension(id_ce_subjectKeyIdentifier, new KeyIdentifier(keyId(publicKey))),
      extension(id_ce_authorityKeyIdentifier, issuerId),
    ]),
  });
  const signatureValue = bytes(sign("sha256", Buffer.from(AsnConvert.serialize(tbsCertificate)), signer));
  return Buffer.from(AsnConvert.serialize(new Certificate({ tbsCertificate, signatureAlgorithm, signatureValue })));
}

const extension = (extnID: string, value: object, critical = false): Extension =>
  new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });

const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });

const keyId = (key: KeyObject): ArrayBuffer => bytes(hash("sha256", spki(key), "buffer").subarray(0, 20));

const bytes = (buffer: Buffer): ArrayBuffer => new Uint8Array(buffer).buffer;

const pem = (der: Buffer): string => new X509Certificate(der).toString();

const refused = (message: string): ToolsError => new ToolsError("TOOLS_INVALID", message);
