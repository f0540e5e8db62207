import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { CLIENT, REDIRECT } from "./fixtures/client.ts";
import { type IdentityProvider, startIdentityProvider } from "./fixtures/identity-provider.ts";
import { alice, bob, calendar, installation } from "./fixtures/installation.ts";
import { consent } from "./fixtures/windowless-browser.ts";

const refused = { code: "IDENTITY_FLOW_REFUSED" };
let provider: IdentityProvider;
/** Redeems codes without a verifier, as servers did before PKCE. */
let careless: IdentityProvider;
beforeAll(async () => {
  provider = await startIdentityProvider();
  careless = await startIdentityProvider({ pkce: false });
});
afterAll(async () => {
  await provider.close();
  await careless.close();
});

async function connecting(issuer = provider.issuer) {
  const mine = installation();
  await mine.vault.add(alice, calendar(issuer));
  return { ...mine, callback: async (who = alice) => consent((await mine.flows.start(who, "calendar")).url) };
}

/** What a thief does, or a handler that checks nothing: takes the code it is brought and redeems it. */
async function redeem({ searchParams }: URL, endpoint = `${careless.issuer}/token`): Promise<Response> {
  const body = { grant_type: "authorization_code", code: searchParams.get("code") ?? "", redirect_uri: REDIRECT };
  const authorization = `Basic ${btoa(`${CLIENT.clientId}:${CLIENT.clientSecret}`)}`;
  return fetch(endpoint, { method: "POST", headers: { authorization }, body: new URLSearchParams(body) });
}

/** A start address without its challenge. */
function cut(start: string): string {
  const url = new URL(start);
  url.searchParams.delete("code_challenge");
  url.searchParams.delete("code_challenge_method");
  return url.href;
}

/** A callback that a handler without checks turns into somebody's token. */
async function unchecked(): Promise<URL> {
  const { flows } = await connecting(careless.issuer);
  return consent(cut((await flows.start(alice, "calendar")).url));
}

const givesToken = async (answer: Response) => expect(await answer.json()).toHaveProperty("access_token");

async function serve(handler: RequestListener) {
  const server = createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { issuer, close };
}

hostile("a callback without a state", {
  control: "a handler that asks for none redeems the code",
  async unguarded() {
    const url = await unchecked();
    url.searchParams.delete("state");
    await givesToken(await redeem(url));
  },
  async guarded() {
    const { flows, callback } = await connecting();
    const url = await callback();
    url.searchParams.delete("state");
    await expect(flows.finish(alice, url)).rejects.toMatchObject(refused);
  },
});

hostile("a state that was used already brings an attacker's new code", {
  control: "a handler that only compares the state redeems it",
  async unguarded() {
    const used = await unchecked();
    const attackers = await unchecked();
    attackers.searchParams.set("state", used.searchParams.get("state") ?? "");
    expect(attackers.searchParams.get("state")).toBe(used.searchParams.get("state"));
    await givesToken(await redeem(attackers));
  },
  async guarded() {
    const { flows, callback } = await connecting();
    const used = await callback();
    await flows.finish(alice, used);
    await expect(flows.finish(alice, used)).rejects.toMatchObject(refused);
    const attackers = await callback();
    attackers.searchParams.set("state", used.searchParams.get("state") ?? "");
    await expect(flows.finish(alice, attackers)).rejects.toMatchObject(refused);
  },
});

hostile("a flow that another user started", {
  control: "a handler that binds no user connects whoever's browser brings the code",
  async unguarded() {
    await givesToken(await redeem(await unchecked()));
  },
  async guarded() {
    const { flows, callback, connections } = await connecting();
    await expect(flows.finish(bob, await callback())).rejects.toMatchObject(refused);
    expect(await connections.list(bob)).toMatchObject([{ state: "none" }]);
  },
});

hostile("a mix-up: the server that was asked for sends the browser to another, and waits for its code", {
  control: "a handler that ignores `iss` hands the honest server's code to the attacker's token endpoint",
  async unguarded() {
    const { stolen, connecting: victim, close } = await attacker();
    const { callback, endpoint } = await victim();
    await redeem(await callback(), endpoint);
    expect(stolen).toHaveLength(1);
    close();
  },
  async guarded() {
    const { stolen, connecting: victim, close } = await attacker();
    const { callback, flows } = await victim();
    await expect(flows.finish(alice, await callback())).rejects.toMatchObject(refused);
    expect(stolen).toEqual([]);
    close();
  },
});

/** An authorisation server whose metadata names the honest one's login page and its own token endpoint. */
async function attacker() {
  const stolen: string[] = [];
  const { issuer, close } = await serve(async (request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.url === "/token") {
      stolen.push(new URLSearchParams(Buffer.concat(await request.toArray()).toString()).get("code") ?? "");
      return response.writeHead(400).end('{"error":"invalid_grant"}');
    }
    const endpoints = { authorization_endpoint: `${provider.issuer}/auth`, token_endpoint: `${issuer}/token` };
    return response.end(JSON.stringify({ issuer, ...endpoints, authorization_response_iss_parameter_supported: true }));
  });
  return { stolen, close, connecting: async () => ({ ...(await connecting(issuer)), endpoint: `${issuer}/token` }) };
}

for (const [name, near] of [
  ["a slash more", `${REDIRECT}/`],
  ["a path that only begins alike", `${REDIRECT}.evil`],
  ["a path that climbs", `${REDIRECT}/../callbacks`],
  ["the host as a user's name", REDIRECT.replace("127.0.0.1:9", "127.0.0.1:9@evil.example")],
] as const) {
  hostile(`a callback to an address near the registered one: ${name}`, {
    control: "a handler that compares beginnings takes it, and redeems its code",
    async unguarded() {
      const brought = `${near}${(await unchecked()).search}`;
      expect(brought.startsWith(REDIRECT) || brought.startsWith(new URL(REDIRECT).origin)).toBe(true);
      await givesToken(await redeem(new URL(brought)));
    },
    async guarded() {
      const { flows, callback } = await connecting();
      const elsewhere = new URL(near);
      elsewhere.search = (await callback()).search;
      await expect(flows.finish(alice, elsewhere)).rejects.toMatchObject(refused);
    },
  });
}

hostile("a stolen code is redeemed by somebody else", {
  control: "without PKCE the code alone is enough",
  async unguarded() {
    await givesToken(await redeem(await unchecked()));
  },
  async guarded() {
    const { flows, callback } = await connecting();
    const mine = await callback();
    const theirs = await callback(bob);
    expect((await redeem(theirs, `${provider.issuer}/token`)).status).toBe(400);
    mine.searchParams.set("code", theirs.searchParams.get("code") ?? "");
    await expect(flows.finish(alice, mine)).rejects.toMatchObject(refused);
  },
});

hostile("a code is replayed in a new flow of the same user", {
  control: "a handler that takes any code for the state it expects gets a token by a code of another flow",
  async unguarded() {
    await givesToken(await redeem(await unchecked()));
  },
  async guarded() {
    const { flows, callback, header } = await connecting();
    const first = await callback();
    await flows.finish(alice, first);
    const token = await header(alice, "calendar");
    const next = await callback();
    next.searchParams.set("code", first.searchParams.get("code") ?? "");
    await expect(flows.finish(alice, next)).rejects.toMatchObject(refused);
    expect(await header(alice, "calendar")).toBe(token);
  },
});

hostile("PKCE is downgraded: the challenge is cut from the address", {
  control: "a server that does not insist redeems a code from the cut address for whoever stole it",
  async unguarded() {
    await givesToken(await redeem(await unchecked()));
  },
  async guarded() {
    const { flows } = await connecting(careless.issuer);
    const { url } = await flows.start(alice, "calendar");
    expect(new URL(url).searchParams.get("code_challenge_method")).toBe("S256");
    await expect(flows.finish(alice, await consent(cut(url)))).rejects.toMatchObject(refused);
  },
});

hostile("PKCE is downgraded: the server offers only `plain`", {
  control: "a client that goes along shows its verifier in the address, and whoever read it redeems the code",
  async unguarded() {
    const { issuer, close } = await plainOnly();
    const verifier = "the-verifier-itself";
    const parameters = { code_challenge_method: "plain", code_challenge: verifier, redirect_uri: REDIRECT };
    const address = `${issuer}/auth?${new URLSearchParams(parameters)}`;
    const { searchParams } = await consent(address);
    const read = new URL(address).searchParams.get("code_challenge") ?? "";
    const body = { code: searchParams.get("code") ?? "", code_verifier: read };
    await givesToken(await fetch(`${issuer}/token`, { method: "POST", body: new URLSearchParams(body) }));
    close();
  },
  async guarded() {
    const { issuer, close } = await plainOnly();
    const { flows } = await connecting(issuer);
    await expect(flows.start(alice, "calendar")).rejects.toMatchObject(refused);
    close();
  },
});

/** An authorisation server from before S256: it compares the verifier with the challenge as they stand. */
async function plainOnly() {
  const challenges = new Map<string, string | null>();
  return serve(async (request, response) => {
    const issuer = `http://${request.headers.host}`;
    const url = new URL(request.url ?? "", issuer);
    response.setHeader("content-type", "application/json");
    if (url.pathname === "/auth") {
      const code = `code-${challenges.size}`;
      challenges.set(code, url.searchParams.get("code_challenge"));
      return response.writeHead(302, { location: `${url.searchParams.get("redirect_uri")}?code=${code}` }).end();
    }
    if (url.pathname === "/token") {
      const sent = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
      const right = challenges.get(sent.get("code") ?? "") === sent.get("code_verifier");
      return response.end(JSON.stringify(right ? { access_token: "a-token" } : { error: "invalid_grant" }));
    }
    const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` };
    return response.end(JSON.stringify({ issuer, ...endpoints, code_challenge_methods_supported: ["plain"] }));
  });
}
