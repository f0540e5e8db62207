import { access } from "node:fs/promises";
import { createKeyFile } from "@ashlar/identity";
import { AGENT_TOKENS, KEYRING, VAULT } from "@ashlar/identity/inversify";
import { MEMORY } from "@ashlar/memory/inversify";
import { AGENT, AUDIENCE, MEMORY as MEMORY_NAME, TENANT, type WorkerConfig } from "./config.ts";
import { compose } from "./container.ts";

const preference = "Ngozi Okafor (C-1048) prefers to be answered in a few sentences and to be addressed as Dr. Okafor.";

/** What an operator does once: the key, the credential in the vault, what is known of customers. Gives the desk's token. */
export async function setUp(config: WorkerConfig, secret: string): Promise<string> {
  await access(config.keyFile).catch(() => createKeyFile(config.keyFile));
  const { container, close } = await compose(config);
  try {
    const context = { principal: { tenant: TENANT, user: "operator" } };
    await container.get(KEYRING).check();
    await container.get(VAULT).add(context, {
      reference: "ticket_db_token",
      hosts: [new URL(config.tickets).host],
      principals: { agents: [AGENT] },
      secret: { kind: "bearer", token: secret },
    });
    await container.get(MEMORY).records.create({ ...context, idempotencyKey: "preference of C-1048" }, MEMORY_NAME, {
      text: preference,
      kind: "preference",
      namespace: "/preferences",
    });
    const desk = { principal: { tenant: TENANT, agent: "support-desk" } };
    return await container.get(AGENT_TOKENS).issue(desk, { audience: AUDIENCE, lifetimeMs: 3_600_000 });
  } finally {
    await close();
  }
}
