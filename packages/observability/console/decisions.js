import { count, h, time } from "./base.js";
import { textOf } from "./read-event.js";
import { VirtualList } from "./virtual-list.js";

/** What memory gave and took, and what policies and people decided: from the log, and from spans where it is silent. */
export class Decisions {
  constructor({ choose }) {
    this.element = h("div", {
      id: "decisions",
      class: "list",
      role: "listbox",
      tabindex: "0",
      "aria-label": "Memory and decisions",
      hidden: true,
    });
    this.list = new VirtualList(this.element, {
      height: 32,
      opens: true,
      cells: ["time", "family", "subject", "effect", "text"],
      fill: ({ at, family, subject, effect, text, tone }, _, cells) => {
        cells.effect.dataset.tone = tone;
        return { kind: `decision ${family}`, time: time(at).split(", ").at(-1), family, subject, effect, text };
      },
      choose: ({ event, span }) => choose({ event, span }),
    });
    Object.assign(this, { events: [], spans: [] });
  }

  set({ events = this.events, spans = this.spans }) {
    Object.assign(this, { events, spans });
    if (this.element.hidden) return;
    this.draw();
  }

  draw() {
    const rows = [
      ...this.events.flatMap((event) => fromEvent(event) ?? []),
      ...this.spans.flatMap((span) => fromSpan(span) ?? []),
    ];
    this.element.dataset.empty = rows.length > 0 ? "" : "No memory was used and nothing had to be decided.";
    this.list.set(rows.sort((a, b) => a.at - b.at));
  }
}

const tones = { allow: "good", approved: "good", deny: "bad", denied: "bad", ask: "warn", asked: "warn" };
const row = (family, at, parts) => ({
  subject: "",
  text: "",
  effect: "",
  tone: tones[parts.effect] ?? "",
  ...parts,
  family,
  at,
});

function fromEvent(event) {
  const { type, step = "", body, at } = event;
  if (type === "approval.requested")
    return row("person", at, {
      event,
      subject: body?.resource ?? body?.name ?? "",
      effect: "asked",
      text: body?.reason ?? body?.text ?? "",
    });
  if (type === "approval.answered")
    return row("person", at, {
      event,
      effect: body?.allow === true ? "approved" : "denied",
      text: body?.message ?? "",
    });
  if (type === "policy.decided" || (type === "step.completed" && step.startsWith("permission:"))) {
    const { effect = "", reason, policy = "" } = body?.output ?? body ?? {};
    return row("policy", at, {
      event,
      subject: step.replace("permission:", ""),
      effect,
      text: reason ?? (policy || textOf(body)),
    });
  }
  if (type === "memory.recalled" || (type === "step.completed" && /^(?:tool:)?memory[._]/.test(step))) {
    const records = recordsOf(body?.output ?? body);
    return row("memory", at, {
      event,
      subject: step.replace("tool:", "") || "recalled",
      effect: records === undefined ? "" : `${count(records.length)} ${records.length === 1 ? "record" : "records"}`,
      text: records?.map(textOf).join(" · ") ?? textOf(body?.output ?? body),
    });
  }
  return undefined;
}

const recordsOf = (output) =>
  Array.isArray(output) ? output : (output?.structuredContent?.hits ?? output?.records ?? undefined);

function fromSpan(span) {
  const { name, attributes, startAt } = span;
  if (name !== "identity.decide") return undefined;
  return row("policy", startAt, {
    span,
    subject: `${attributes["ashlar.policy.action"] ?? ""} ${attributes["ashlar.policy.resource"] ?? ""}`,
    effect: attributes["ashlar.policy.effect"] ?? "",
    text: attributes["ashlar.policy.id"] === undefined ? "by default" : `policy ${attributes["ashlar.policy.id"]}`,
  });
}
