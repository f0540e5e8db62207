import { readFileSync, writeFileSync } from "node:fs";

/** Where Debian and its kin keep the public authorities in one file. */
const SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";
const INSIDE = "/run/egress-certificates.pem";

/** Writes the public authorities and one more into a file that is shown inside in place of the system's own. */
export function writeBundle(path: string, certificate: string): readonly string[] {
  const system = readSystem();
  writeFileSync(path, `${system ?? ""}\n${certificate.trim()}\n`, { mode: 0o644 });
  const shown = ["--ro-bind", path, INSIDE];
  return system === undefined ? shown : [...shown, "--ro-bind", path, SYSTEM_BUNDLE];
}

/** For OpenSSL and Python, Node, requests and pip, curl, git. */
export const certificateVariables: Readonly<Record<string, string>> = {
  SSL_CERT_FILE: INSIDE,
  NODE_EXTRA_CA_CERTS: INSIDE,
  REQUESTS_CA_BUNDLE: INSIDE,
  CURL_CA_BUNDLE: INSIDE,
  GIT_SSL_CAINFO: INSIDE,
};

function readSystem(): string | undefined {
  try {
    return readFileSync(SYSTEM_BUNDLE, "utf8");
  } catch {
    return undefined;
  }
}
