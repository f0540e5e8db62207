import type { InboundAuthenticator } from "@ashlar/gateway";
import type { Principal } from "@ashlar/identity";

type Handler = (request: Request) => Promise<Response>;

const COOKIE = "ashlar_key";

/**
 * The console for a browser: a sign-in page asks for an API key and keeps it in a cookie that no script reads and no
 * other site sends. Everything else goes to the console as it is.
 */
export function consoleDoor(authenticator: InboundAuthenticator): {
  readonly authenticate: (request: Request) => Promise<Principal | undefined>;
  readonly around: (console: Handler) => Handler;
} {
  async function authenticate(request: Request): Promise<Principal | undefined> {
    const key = cookieOf(request);
    if (request.headers.has("authorization") || key === undefined) return authenticator.authenticate(request);
    return authenticator.authenticate(new Request(request.url, { headers: { authorization: `Bearer ${key}` } }));
  }

  const around =
    (console: Handler): Handler =>
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/console/sign-in" && request.method === "POST") return signIn(request, authenticator);
      if (pathname === "/console/sign-out" && request.method === "POST") return leave();
      const page = request.method === "GET" && (request.headers.get("accept") ?? "").includes("text/html");
      const known = page ? await authenticate(request).catch(() => undefined) : true;
      return known === undefined ? signInPage(pathname === "/console/sign-in" ? 200 : 401) : console(request);
    };
  return { authenticate, around };
}

async function signIn(request: Request, authenticator: InboundAuthenticator): Promise<Response> {
  const site = request.headers.get("sec-fetch-site");
  const form = new URLSearchParams((await request.text()).slice(0, 4096));
  const key = form.get("key")?.trim() ?? "";
  const asked = new Request(request.url, { headers: { authorization: `Bearer ${key}` } });
  const known = /^[\w.~+/=-]+$/.test(key) && (await authenticator.authenticate(asked).catch(() => undefined));
  if ((site !== null && site !== "same-origin") || !known) return signInPage(401, "This key is not known here.");
  const secure = new URL(request.url).protocol === "https:" ? "; Secure" : "";
  return new Response(null, {
    status: 303,
    headers: {
      location: "/console/",
      "set-cookie": `${COOKIE}=${key}; HttpOnly; SameSite=Strict; Path=/console; Max-Age=43200${secure}`,
    },
  });
}

const leave = (): Response =>
  new Response(null, {
    status: 303,
    headers: { location: "/console/", "set-cookie": `${COOKIE}=; HttpOnly; SameSite=Strict; Path=/console; Max-Age=0` },
  });

const cookieOf = (request: Request): string | undefined =>
  new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w.~+/=-]+)`).exec(request.headers.get("cookie") ?? "")?.[1];

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{display:grid;place-content:center;
min-height:100vh;margin:0}form{display:grid;gap:.75rem;width:min(24rem,90vw)}h1{font-size:1.25rem;margin:0}
input,button{font:inherit;padding:.5rem .75rem;border-radius:.375rem;border:1px solid GrayText}
button{background:AccentColor;color:AccentColorText;border:0}p{margin:0;color:GrayText}`;

function signInPage(status: number, problem = ""): Response {
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in · Ashlar</title><link rel="icon" href="data:,"><style>${style}</style><form method="post" action="/console/sign-in"><h1>Ashlar</h1>
<input name="username" value="operator" autocomplete="username" hidden><label for="key">API key</label><input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button><p role="status">${problem || "The operator's key lies in the data folder."}</p></form></html>`;
  return new Response(body, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": `default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}
