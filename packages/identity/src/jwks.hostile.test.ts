import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { afterEach, beforeEach, expect } from "vitest";
import { hostile } from "../../../test/support/hostile.ts";
import { published, rsaPair, startForeignIssuer } from "./fixtures/foreign-issuer.ts";

const unavailable = { code: "IDENTITY_ISSUER_UNAVAILABLE", kind: "unavailable" };
let foreign: Awaited<ReturnType<typeof startForeignIssuer>>;
beforeEach(async () => {
  foreign = await startForeignIssuer();
});
afterEach(() => foreign.close());

hostile("a JWKS address that redirects to an attacker's keys", {
  control: "the platform's fetch follows, and a token of the attacker verifies",
  async unguarded() {
    const { token, clock } = await redirected();
    const keys = (await (await fetch(`${foreign.issuer}/jwks`)).json()) as JSONWebKeySet;
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { currentDate: new Date(clock.now()) });
    expect(payload.sub).toBe("alice");
  },
  async guarded() {
    const { token, trusted, asked } = await redirected();
    await expect(trusted.verify(token)).rejects.toMatchObject(unavailable);
    expect(asked).toEqual([]);
  },
});

async function redirected() {
  const theirs = await rsaPair();
  const attacker = await startForeignIssuer();
  attacker.publish([await published(theirs, "k1")]);
  foreign.answerJwks((_, response) => response.writeHead(302, { location: `${attacker.issuer}/jwks` }).end());
  const { trusted, sign, clock } = foreign.trusting();
  return { token: await sign({}, {}, theirs.privateKey), trusted, clock, asked: attacker.asked };
}

hostile("a JWKS that never ends", {
  control: "its first byte arrives and the answer stays open",
  async unguarded() {
    foreign.answerJwks((_, response) => response.write("{"));
    const reader = (await fetch(`${foreign.issuer}/jwks`)).body?.getReader();
    expect((await reader?.read())?.value?.length).toBe(1);
    const open = new Promise((resolve) => setImmediate(resolve, "open"));
    expect(await Promise.race([reader?.read(), open])).toBe("open");
    await reader?.cancel();
  },
  async guarded() {
    foreign.answerJwks((_, response) => response.write("{"));
    const { trusted, sign } = foreign.trusting();
    await expect(trusted.verify(await sign())).rejects.toMatchObject(unavailable);
  },
});

hostile("a JWKS of 1 GB", {
  control: "the platform's fetch reads on and on",
  async unguarded() {
    const sent = flood();
    let read = 0;
    for await (const chunk of (await fetch(`${foreign.issuer}/jwks`)).body ?? []) {
      read += chunk.length;
      if (read > 16 * MIB) break;
    }
    expect(sent()).toBeGreaterThan(16 * MIB);
  },
  async guarded() {
    const sent = flood();
    const { trusted, sign } = foreign.trusting();
    await expect(trusted.verify(await sign())).rejects.toMatchObject(unavailable);
    expect(sent()).toBeLessThan(16 * MIB);
  },
});

const MIB = 1024 * 1024;

/** Sends 1 GB as fast as it is read; tells how much was taken. */
function flood(): () => number {
  let sent = 0;
  function* pieces() {
    yield '{"keys":[],"x":"';
    for (const piece = " ".repeat(64 * 1024); sent < 1024 * MIB; sent += piece.length) yield piece;
  }
  foreign.answerJwks((_, response) => void pipeline(Readable.from(pieces()), response).catch(() => {}));
  return () => sent;
}

hostile("a JWKS address inside, such as a cloud's metadata service", {
  control: "the platform's fetch goes to whatever address the metadata names, here to a stand-in on 127.0.0.2",
  async unguarded() {
    const { inside, asked, close } = await metadataService();
    await fetch(inside);
    expect(asked()).toBe(1);
    close();
  },
  async guarded() {
    const { inside, asked, close } = await metadataService();
    for (const uri of [inside, "http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/latest"]) {
      foreign.nameJwks(uri);
      const { trusted, sign } = foreign.trusting();
      await expect(trusted.verify(await sign()), uri).rejects.toMatchObject(unavailable);
    }
    expect(asked()).toBe(0);
    close();
  },
});

async function metadataService() {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end('{"keys":[]}');
  });
  server.listen(0, "127.0.0.2");
  await once(server, "listening");
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { inside: `http://127.0.0.2:${(server.address() as AddressInfo).port}/jwks`, asked: () => asked, close };
}
