import type { Connection } from "./connection.ts";
import { bind, unbind } from "./log-scripts.ts";

export interface ExternalId {
  readonly tenant: string;
  readonly agent: string;
  readonly externalId: string;
}

/** Which session an external id means. It lies in another slot than the session: bound before that one is made. */
export class ExternalIds {
  readonly #connection: Connection;
  readonly #prefix: string;

  constructor(connection: Connection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  find(name: ExternalId): Promise<string | null> {
    return this.#connection.read((client) => client.get(this.#key(name)));
  }

  /** The id that it is bound to: this one, if none was before. */
  async bind(name: ExternalId, session: string): Promise<string> {
    return (await this.#connection.write(bind, [this.#key(name)], [session])) as string;
  }

  async unbind(name: ExternalId, session: string): Promise<void> {
    await this.#connection.write(unbind, [this.#key(name)], [session]);
  }

  #key({ tenant, agent, externalId }: ExternalId): string {
    return `${this.#prefix}external:${JSON.stringify([tenant, agent, externalId])}`;
  }
}
