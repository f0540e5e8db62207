import type { OAuthClientProvider } from "@modelcontextprotocol/client";
import { expect, test } from "vitest";
import { McpOAuth } from "./index.ts";

const url = "https://mcp.example/mcp";
const issuer = "https://login.example";
const context = { principal: { tenant: "acme", user: "ann" } };
type Tokens = NonNullable<Awaited<ReturnType<OAuthClientProvider["tokens"]>>>;

/** An authorization server as one function, and a client of it that was registered before. */
function world() {
  const asked: URLSearchParams[] = [];
  const sent: URL[] = [];
  let tokens: Tokens | undefined;
  let verifier = "";
  const documents: Readonly<Record<string, object>> = {
    "https://mcp.example/.well-known/oauth-protected-resource/mcp": { resource: url, authorization_servers: [issuer] },
    "https://login.example/.well-known/oauth-authorization-server": {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
    },
  };
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const address = String(input);
    if (address === `${issuer}/token`) {
      const form = new URLSearchParams(String(init?.body));
      asked.push(form);
      if (form.get("code") === "broken") return Response.json({ error: "server_error", error_description: "s3cret" });
      return Response.json({ access_token: "the-token", token_type: "Bearer", scope: "read" });
    }
    const document = documents[address];
    return document === undefined ? new Response(null, { status: 404 }) : Response.json(document);
  };
  const provider: OAuthClientProvider = {
    redirectUrl: "https://gateway.example/callback",
    clientMetadata: { redirect_uris: ["https://gateway.example/callback"] },
    clientInformation: () => ({ client_id: "gateway" }),
    tokens: () => tokens,
    saveTokens: (made) => {
      tokens = made;
    },
    redirectToAuthorization: (where) => void sent.push(where),
    saveCodeVerifier: (made) => {
      verifier = made;
    },
    codeVerifier: () => verifier,
  };
  return { asked, sent, fetch, provider };
}

test("a server that asks for a token gets one after consent: with PKCE, and with the scopes it named", async () => {
  const { asked, sent, fetch, provider } = world();
  const oauth = new McpOAuth({
    provider: () => provider,
    fetch,
    callback: async () => new URLSearchParams({ code: "abc" }),
  });
  expect(await oauth.token(context)).toBeUndefined();
  const challenge = { url, status: 401, header: 'Bearer scope="read"' };
  expect(await oauth.challenged(context, challenge)).toBe(true);
  expect(await oauth.token(context)).toBe("the-token");
  expect([
    sent[0]?.origin,
    sent[0]?.searchParams.get("scope"),
    sent[0]?.searchParams.get("code_challenge_method"),
  ]).toEqual([issuer, "read", "S256"]);
  expect([asked[0]?.get("code"), asked[0]?.get("code_verifier")]).toEqual(["abc", provider.codeVerifier()]);
});

test("a step up asks for what it had and what it lacks", async () => {
  const { sent, fetch, provider } = world();
  const oauth = new McpOAuth({
    provider: () => provider,
    fetch,
    callback: async () => new URLSearchParams({ code: "abc" }),
  });
  await oauth.challenged(context, { url, status: 401, header: 'Bearer scope="read"' });
  const header = 'Bearer error="insufficient_scope", scope="write"';
  expect(await oauth.challenged(context, { url, status: 403, header })).toBe(true);
  expect(sent[1]?.searchParams.get("scope")?.split(" ").sort()).toEqual(["read", "write"]);
});

test("without anybody to consent, without a code and with a broken server there is no token, and no secret in the error", async () => {
  const { fetch, provider } = world();
  const challenge = { url, status: 401, header: undefined };
  const alone = new McpOAuth({ provider: () => provider, fetch });
  await expect(alone.challenged(context, challenge)).rejects.toThrow("needs somebody's consent");
  const refused = new McpOAuth({ provider: () => provider, fetch, callback: async () => new URLSearchParams() });
  expect(await refused.challenged(context, challenge)).toBe(false);
  const code = async () => new URLSearchParams({ code: "broken" });
  const broken = new McpOAuth({ provider: () => provider, fetch, callback: code });
  const error = await broken.challenged(context, challenge).catch((each: Error) => each);
  expect(error).toMatchObject({ code: "GATEWAY_TARGET_FAILED" });
  expect(String(error)).not.toContain("s3cret");
});
