import { clean, h, time } from "./base.js";

const MOST = 300;

/** What was said and done, to be read from top to bottom. Long ones begin with their last part. */
export class Transcript {
  constructor() {
    this.element = h("div", { id: "transcript", role: "log", tabindex: "0", "aria-label": "Transcript", hidden: true });
    this.all = false;
    this.events = [];
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
    this.element.replaceChildren(...(shown.length < parts.length ? [earlier] : []), ...shown.map(entry));
    if (shown.length === 0) this.element.append(h("p", { class: "empty" }, "Nothing was said yet."));
  }
  showAll() {
    this.all = true;
    this.drawn = undefined;
    this.draw();
  }
}

function part({ seq, type, at, step, body }) {
  const said = (who, kind) => ({ seq, at, who, kind, text: textOf(body) });
  if (/^(user\.message|message\.user)$/.test(type)) return said("User", "user");
  if (/^(agent\.message|message\.agent)$/.test(type)) return said("Agent", "agent");
  if (type === "approval.requested") return said("Asks for approval", "note");
  if (type === "approval.answered") return said(body?.allow === true ? "Approved" : "Denied", "note");
  if (/^session\.(error|recovered|ended)$/.test(type)) return said(type, "note");
  if (type === "step.completed" && /^tool:/.test(step ?? "")) {
    const from = body?.recorded === true ? ", from the record" : "";
    return { seq, at, who: `Tool ${step.slice(5)}${from}`, kind: "tool", text: textOf(body?.output) };
  }
  return undefined;
}

function textOf(value) {
  if (value === undefined || value === null) return "";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(textOf).join("\n");
  for (const key of ["text", "message", "content", "name", "reason"])
    if (value[key] !== undefined) return textOf(value[key]);
  return JSON.stringify(value, null, 2);
}

function entry({ seq, at, who, kind, text }) {
  const short = text.length > 20000 ? `${text.slice(0, 20000)}\n… ${text.length - 20000} more characters` : text;
  const heading = h("h3", {}, `${who} `, h("span", { class: "quiet" }, `event ${seq}, ${time(at)}`));
  if (kind !== "tool") return h("article", { class: `said ${kind}` }, heading, h("p", {}, short));
  return h("article", { class: "said tool" }, h("details", {}, h("summary", {}, heading), h("pre", {}, clean(short))));
}
