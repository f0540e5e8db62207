import type { RawData, WebSocket } from "ws";
import * as z from "zod";
import { ToolsError } from "../errors.ts";
import type { AccessGrant } from "./access-tokens.ts";
import type { BrowserEvent } from "./browser-event.ts";
import type { ScreencastFrame } from "./browser-page.ts";
import type { BrowserSession } from "./browser-session.ts";
import { findKey } from "./keys.ts";

/** Pictures that are on their way to a viewer; while so many are not drawn yet, only the newest waits. */
const IN_FLIGHT = 2;
const LEASE_MS = 20_000;

const place = { x: z.number().finite(), y: z.number().finite() };
const modifiers = z.number().int().min(0).max(15).default(0);
const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("drawn") }),
  z.object({ type: z.literal("take") }),
  z.object({ type: z.literal("give_back") }),
  z.object({ type: z.literal("go"), direction: z.enum(["back", "forward", "reload"]) }),
  z.object({ type: z.literal("page"), id: z.string().max(100) }),
  z.object({ type: z.literal("dialog"), accept: z.boolean(), text: z.string().max(10_000).optional() }),
  z.object({ type: z.literal("text"), text: z.string().max(100_000) }),
  z.object({ type: z.literal("key"), event: z.enum(["down", "up"]), key: z.string().max(20), modifiers }),
  z.object({
    ...{ type: z.literal("mouse"), event: z.enum(["move", "down", "up", "wheel"]), ...place, modifiers },
    button: z.enum(["none", "left", "right", "middle"]).default("none"),
    clickCount: z.number().int().min(0).max(3).default(0),
    deltaX: z.number().finite().default(0),
    deltaY: z.number().finite().default(0),
  }),
]);
type Message = z.output<typeof message>;

const MOUSE = { move: "mouseMoved", down: "mousePressed", up: "mouseReleased", wheel: "mouseWheel" } as const;

/** One person who watches a session, and acts in it while the control is theirs. */
export class ViewerLink {
  readonly #session: BrowserSession;
  readonly #socket: WebSocket;
  readonly #grant: AccessGrant;
  #inFlight = 0;
  #next: ScreencastFrame | undefined;

  constructor(session: BrowserSession, socket: WebSocket, grant: AccessGrant) {
    this.#session = session;
    this.#socket = socket;
    this.#grant = grant;
    const ends = [
      session.onChange(() => this.#state()),
      session.events.listen((event) => this.#event(event)),
      session.screencast.watch((frame) => this.#frame(frame)),
    ];
    socket.on("message", (data) => void this.#receive(data));
    socket.once("close", () => {
      for (const end of ends) end();
      session.control.release(grant);
    });
    void session.closed.then(() => socket.close(1000, "The session is over."));
    this.#state();
  }

  #state(): void {
    const { session, grant } = { session: this.#session, grant: this.#grant };
    const pages = session
      .list()
      .map(({ id, title, url, front }) => ({ id, title: tame(title), url: tame(url), front }));
    const dialog = session.dialog();
    this.#say({
      ...{ type: "state", pages, viewport: session.viewport, you: grant.by, holder: session.control.holder?.by },
      mayControl: grant.scope === "control",
      ...(dialog === undefined ? {} : { dialog: { type: dialog.type, text: tame(dialog.text) } }),
    });
  }

  #event(event: BrowserEvent): void {
    if (event.kind === "network") return;
    this.#say({ type: "event", event });
  }

  #frame(frame: ScreencastFrame): void {
    if (this.#inFlight >= IN_FLIGHT) {
      this.#next = frame;
      return;
    }
    this.#inFlight += 1;
    this.#socket.send(frame.jpeg, { binary: true });
  }

  #drawn(): void {
    this.#inFlight = Math.max(0, this.#inFlight - 1);
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined) this.#frame(next);
  }

  async #receive(data: RawData): Promise<void> {
    const parsed = message.safeParse(read(data));
    if (!parsed.success) return this.#problem("That message is not understood.");
    if (parsed.data.type === "drawn") return this.#drawn();
    try {
      await this.#obey(parsed.data);
    } catch (error) {
      this.#problem(ToolsError.is(error) ? error.message : "It could not be done.");
    }
  }

  async #obey(said: Message): Promise<void> {
    const { control } = this.#session;
    const { by, scope } = this.#grant;
    if (scope !== "control") return this.#problem("This view only watches.");
    if (said.type === "take") return void control.take({ by, leaseMs: LEASE_MS });
    if (control.holder?.by !== by) return this.#problem("Take over first.");
    if (said.type === "give_back") return control.release({ by });
    control.take({ by, leaseMs: LEASE_MS });
    await this.#act(said);
  }

  async #act(said: Message): Promise<void> {
    const { pages, events } = this.#session;
    const page = pages.front();
    const note = (name: string, detail = ""): void => events.emit({ kind: "action", by: "person", name, detail });
    if (said.type === "mouse") {
      const { event, x, y, button, clickCount, deltaX, deltaY } = said;
      if (event === "down") note("click", `${Math.round(x)}, ${Math.round(y)}`);
      const params = { type: MOUSE[event], x, y, button, clickCount, modifiers: said.modifiers };
      await page.send("Input.dispatchMouseEvent", event === "wheel" ? { ...params, deltaX, deltaY } : params);
    } else if (said.type === "key") {
      const key = findKey(said.key);
      if (key === undefined) return;
      const { text, ...rest } = key;
      const prints = said.event === "down" && text !== undefined && (said.modifiers & 7) === 0;
      if (said.event === "down") note("key");
      await page.send("Input.dispatchKeyEvent", {
        ...{
          type: prints ? "keyDown" : said.event === "down" ? "rawKeyDown" : "keyUp",
          modifiers: said.modifiers,
          ...rest,
        },
        ...(prints ? { text, unmodifiedText: text } : {}),
      });
    } else if (said.type === "text") {
      note("text");
      await page.send("Input.insertText", { text: said.text });
    } else if (said.type === "dialog") {
      note("answer_dialog", said.accept ? "accepted" : "dismissed");
      await page.answerDialog(said.accept, said.text);
    } else if (said.type === "page") {
      note("select_page");
      await pages.select(said.id);
    } else if (said.type === "go") {
      note(said.direction);
      await page.step(said.direction);
    }
  }

  #problem(text: string): void {
    this.#say({ type: "problem", text });
  }

  #say(value: object): void {
    this.#socket.send(JSON.stringify(value));
  }
}

function read(data: RawData): unknown {
  try {
    return JSON.parse(String(data));
  } catch {
    return undefined;
  }
}

/** Without what could turn or hide the words around it on a screen. */
function tame(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, " ").slice(0, 500);
}
