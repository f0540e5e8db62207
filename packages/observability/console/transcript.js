import { clean, h, time } from "./base.js";
import { textOf } from "./read-event.js";

const MOST = 300;
const LONGEST = 20000;

/** What was said and done, to be read from top to bottom. Long ones begin with their last part. */
export class Transcript {
  constructor({ choose }) {
    this.element = h("div", { id: "transcript", role: "log", tabindex: "0", "aria-label": "Transcript", hidden: true });
    Object.assign(this, { all: false, events: [], choose });
  }

  set(events) {
    this.events = events;
    this.draw();
  }

  draw() {
    if (this.element.hidden || this.drawn === this.events.length) return;
    this.drawn = this.events.length;
    const parts = this.events.flatMap((event) => part(event) ?? []);
    const shown = this.all ? parts : parts.slice(-MOST);
    const earlier = h("button", { onclick: () => this.showAll() }, `Show ${parts.length - shown.length} earlier`);
    this.element.replaceChildren(
      ...(shown.length < parts.length ? [earlier] : []),
      ...shown.map((each) => this.entry(each)),
    );
    if (shown.length === 0) this.element.append(h("p", { class: "empty" }, "Nothing was said yet."));
  }

  showAll() {
    this.all = true;
    this.drawn = undefined;
    this.draw();
  }

  entry({ event, who, kind, text }) {
    const short =
      text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters` : text;
    const where = h(
      "button",
      { class: "where", onclick: () => this.choose(event) },
      `${event.seq} · ${time(event.at)}`,
    );
    const heading = h("h3", {}, who);
    if (kind !== "tool")
      return h("article", { class: `said ${kind}` }, h("header", {}, heading, where), h("p", {}, short));
    const [first = ""] = short.split("\n");
    const summary = h("summary", {}, heading, h("span", { class: "gist" }, first.slice(0, 200)));
    return h("article", { class: "said tool" }, h("details", {}, summary, where, h("pre", {}, clean(short))));
  }
}

function part(event) {
  const { type, step = "", body } = event;
  const said = (who, kind, text = textOf(body)) => ({ event, who, kind, text });
  if (/^(user\.message|message\.user)$/.test(type)) return said("User", "user");
  if (/^(agent\.message|message\.agent)$/.test(type)) return said("Agent", "agent");
  if (type === "approval.requested") return said("Asks for approval", "note", asked(body));
  if (type === "approval.answered")
    return said(body?.allow === true ? "Approved" : "Denied", "note", body?.message ?? "");
  if (type === "session.recovered") return said("Another worker went on after a crash", "note", "");
  if (/^session\.(error|parked|ended)$/.test(type)) return said(type, "note");
  if (type === "step.completed" && step.startsWith("tool:")) {
    const from = body?.recorded === true ? ", from the record" : "";
    return said(`${step.slice(5)}${from}`, "tool", textOf(body?.output));
  }
  return undefined;
}

const asked = (body) => `${body?.resource ?? body?.name ?? ""} ${body?.reason ?? body?.text ?? ""}`.trim();
