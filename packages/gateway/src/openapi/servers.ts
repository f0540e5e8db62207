import { GatewayError } from "../errors.ts";
import { type ApiDocument, isNode, type Node } from "./document.ts";

/** The first server of a document, its variables at their defaults, read against the document's own address. */
export function baseUrl({ root, dialect }: ApiDocument, address: string | undefined): string {
  const stated = dialect === "swagger-2" ? swaggerServer(root, address) : openApiServer(root);
  const url =
    stated === undefined ? address : URL.canParse(stated, address) ? new URL(stated, address).href : undefined;
  if (url === undefined || !/^https?:/i.test(url)) {
    throw new GatewayError(
      "GATEWAY_INVALID",
      "The API document names no server by http or https: give the target a baseUrl.",
    );
  }
  return url;
}

function openApiServer({ servers }: Node): string | undefined {
  const [first] = Array.isArray(servers) ? servers.filter(isNode) : [];
  if (typeof first?.url !== "string") return undefined;
  const variables = isNode(first.variables) ? first.variables : {};
  return first.url.replaceAll(/\{([^}]+)\}/g, (whole, name: string) => {
    const variable = variables[name];
    return isNode(variable) && variable.default !== undefined ? String(variable.default) : whole;
  });
}

function swaggerServer({ schemes, host, basePath }: Node, address: string | undefined): string | undefined {
  const path = typeof basePath === "string" ? basePath : "/";
  if (typeof host !== "string") return address === undefined ? undefined : path;
  const list = Array.isArray(schemes) ? schemes : [];
  return `${list.includes("https") || list.length === 0 ? "https" : String(list[0])}://${host}${path}`;
}
