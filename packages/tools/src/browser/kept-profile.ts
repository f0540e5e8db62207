import type { CallContext } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import type { BrowserProfiles } from "./browser-profiles.ts";
import type { BrowserSession } from "./browser-session.ts";
import type { Sealer } from "./sealer.ts";
import { putState, readState, type StorageState, takeState } from "./storage-state.ts";

interface KeptProfileDeps {
  readonly profiles?: BrowserProfiles;
  readonly sealer?: Sealer;
}

/** One profile while a session uses it. Of two sessions with the same profile, the one that closes last is kept. */
export class KeptProfile {
  readonly #context: CallContext;
  readonly #name: string;
  readonly #profiles: BrowserProfiles;
  readonly #sealer: Sealer;
  readonly #state: StorageState | undefined;
  readonly #origins: Set<string>;

  private constructor(
    context: CallContext,
    name: string,
    { profiles, sealer }: Required<KeptProfileDeps>,
    state: StorageState | undefined,
  ) {
    this.#context = { principal: context.principal };
    this.#name = name;
    this.#profiles = profiles;
    this.#sealer = sealer;
    this.#state = state;
    this.#origins = new Set(state?.origins.map(({ origin }) => origin));
  }

  static async open(context: CallContext, name: string, { profiles, sealer }: KeptProfileDeps): Promise<KeptProfile> {
    if (profiles === undefined || sealer === undefined) {
      throw new ToolsError("TOOLS_INVALID", "A profile was named, but `profiles` and `sealer` were not both given.");
    }
    const sealed = await profiles.load(context, name);
    const state = sealed === undefined ? undefined : readState(await sealer.open(context, sealed, purposeOf(name)));
    return new KeptProfile(context, name, { profiles, sealer }, state);
  }

  async restore(session: BrowserSession): Promise<void> {
    session.events.listen((event) => {
      if (event.kind === "navigation" && /^https?:/.test(event.url)) this.#origins.add(new URL(event.url).origin);
    });
    if (this.#state !== undefined) await putState(session, this.#state);
  }

  async save(session: BrowserSession): Promise<void> {
    const state = await takeState(session, [...this.#origins]);
    const plain = Buffer.from(JSON.stringify(state));
    const sealed = await this.#sealer.seal(this.#context, plain, purposeOf(this.#name));
    await this.#profiles.save(this.#context, this.#name, sealed);
  }
}

const purposeOf = (name: string): string => `browser-profile:${name}`;
