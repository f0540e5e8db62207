import type { AgentSessions } from "@ashlar/gateway";

type Sessions = Required<AgentSessions>;

/** The runtime's sessions, of which only agents that are defined now can be opened; those under way go on. */
export class PublishedAgents implements AgentSessions {
  readonly #sessions: Sessions;
  /** Version by name. */
  #published: ReadonlyMap<string, string> = new Map();

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** Gives what was published before. */
  publish(versions: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const before = this.#published;
    this.#published = versions;
    return before;
  }

  async agents(...args: Parameters<AgentSessions["agents"]>): ReturnType<AgentSessions["agents"]> {
    const page = await this.#sessions.agents(...args);
    return { ...page, items: page.items.filter(({ name, version }) => this.#published.get(name) === version) };
  }

  open(...[context, request]: Parameters<AgentSessions["open"]>): ReturnType<AgentSessions["open"]> {
    const qualifier = request.qualifier ?? this.#published.get(request.agent) ?? "none";
    return this.#sessions.open(context, { ...request, qualifier });
  }

  get(...args: Parameters<Sessions["get"]>): ReturnType<Sessions["get"]> {
    return this.#sessions.get(...args);
  }

  send(...args: Parameters<AgentSessions["send"]>): ReturnType<AgentSessions["send"]> {
    return this.#sessions.send(...args);
  }

  events(...args: Parameters<AgentSessions["events"]>): ReturnType<AgentSessions["events"]> {
    return this.#sessions.events(...args);
  }

  interrupt(...args: Parameters<AgentSessions["interrupt"]>): Promise<void> {
    return this.#sessions.interrupt(...args);
  }

  stop(...args: Parameters<AgentSessions["stop"]>): Promise<void> {
    return this.#sessions.stop(...args);
  }
}
