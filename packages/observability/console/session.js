import { Approvals, actionsOf } from "./actions.js";
import { $, call, count, duration, h, money, perFrame, say } from "./base.js";
import { Decisions } from "./decisions.js";
import { Details } from "./details.js";
import { Reading } from "./read-event.js";
import { Scrubber } from "./scrubber.js";
import { toneOf } from "./sessions.js";
import { Spans } from "./spans.js";
import { Tail } from "./tail.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";
import { Usage } from "./usage.js";

const PAGE = 2000;
export const tabs = {
  events: "Timeline",
  transcript: "Transcript",
  spans: "Spans",
  decisions: "Memory and policy",
  usage: "Cost",
};

/** One session: its head, its scrubber, and five ways to look at it. */
export class SessionView {
  constructor(id, { me, summary, goTo }) {
    Object.assign(this, { id, summary, goTo, events: [], spans: [], reading: new Reading() });
    const chooseEvent = (event) => this.choose(event);
    this.details = new Details({ zoom: () => this.panels.spans.zoom() });
    this.scrubber = new Scrubber({ move: (index) => this.scrub(index) });
    this.panels = {
      events: new Timeline({ reading: this.reading, choose: chooseEvent }),
      transcript: new Transcript({ choose: (event) => this.reveal(event.seq) }),
      spans: new Spans({ choose: (span) => this.details.span(span) }),
      decisions: new Decisions({
        choose: ({ event, span }) =>
          event ? this.list.select(this.events.indexOf(event), true) : this.details.span(span),
      }),
      usage: new Usage(),
    };
    this.facts = h("div", { class: "facts" });
    this.status = h("span", { class: "status" });
    this.origin = h("span", {});
    this.approvals = new Approvals(id, { allowed: me.actions });
    this.live = new Tail(id, { receive: (event) => this.receive(event) });
    this.changed = perFrame(() => this.draw());
    this.settled = undefined;
    const actions = me.actions
      ? actionsOf(id, {
          me,
          chosen: () => this.chosen?.seq ?? this.events.at(-1)?.seq ?? 0,
          forked: (made) => goTo(made.id, true),
          diverged: (seq) => this.reveal(seq),
        })
      : "";
    $("main").replaceChildren(
      h(
        "header",
        { class: "head" },
        h("a", { class: "back", href: "#" }, "‹ Sessions"),
        h(
          "div",
          { class: "title" },
          h("h2", {}, h("span", {}, summary?.agent ?? "Session"), this.status),
          h("span", { class: "mono quiet" }, id),
        ),
        this.facts,
        h("div", { class: "buttons" }, this.origin, actions),
      ),
      this.approvals.element,
      this.scrubber.element,
      h(
        "div",
        { class: "tabs" },
        h(
          "div",
          { role: "tablist", "aria-label": "Ways to look at the session" },
          ...Object.entries(tabs).map(([name, label]) => this.tab(name, label)),
        ),
        this.live.element,
      ),
      h("div", { class: "body" }, ...Object.values(this.panels).map(({ element }) => element), this.details.element),
    );
    this.showStatus(summary?.status);
    this.show("events");
  }

  get list() {
    return this.panels.events.list;
  }

  tab(name, label) {
    const button = h(
      "button",
      { role: "tab", id: `tab-${name}`, "aria-controls": name, onclick: () => this.show(name) },
      label,
    );
    button.addEventListener("keydown", ({ key }) => {
      const names = Object.keys(tabs);
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (step === undefined) return;
      const next = names.at((names.indexOf(name) + step) % names.length);
      this.show(next);
      $(`tab-${next}`).focus();
    });
    return button;
  }

  show(name) {
    for (const [each, panel] of Object.entries(this.panels)) {
      panel.element.hidden = each !== name;
      $(`tab-${each}`).ariaSelected = String(each === name);
      $(`tab-${each}`).tabIndex = each === name ? 0 : -1;
    }
    this.details.element.hidden = name === "transcript" || name === "usage";
    const panel = this.panels[name];
    panel.draw?.();
    panel.list?.soon();
    if (name === "events") this.list.select(this.list.selected, false);
  }

  async open() {
    try {
      for (let after = 0; ; ) {
        const page = await call(`sessions/${encodeURIComponent(this.id)}/events?after=${after}&limit=${PAGE}`);
        if (this.stopped) return;
        this.events.push(...page.items);
        after = this.events.at(-1)?.seq ?? 0;
        this.draw();
        if (page.cursor === undefined || page.items.length === 0) break;
      }
    } catch (error) {
      this.panels.events.element.dataset.empty = error.message;
      return say(error.message);
    }
    if (this.chosen === undefined) this.list.select(0, true);
    this.live.start(this.events.at(-1)?.seq ?? 0);
    await this.loadSpans();
  }

  async loadSpans() {
    const { spans = [], cut } = await call(`sessions/${encodeURIComponent(this.id)}/spans`).catch(() => ({}));
    if (this.stopped) return;
    this.spans = spans;
    this.panels.spans.set(spans, cut);
    this.draw();
  }

  receive(event) {
    if (event.seq <= (this.events.at(-1)?.seq ?? 0)) return;
    this.events.push(event);
    this.changed();
    if (/^(?:turn|session)\./.test(event.type)) {
      // A turn that ends brings its spans along, a moment later.
      clearTimeout(this.later);
      this.later = setTimeout(() => void this.loadSpans(), 400);
    }
  }

  draw() {
    const { events, reading, panels } = this;
    reading.to(events);
    const { list } = this;
    const follows = list.set(events) && list.selected === events.length - 2;
    if (follows) list.select(events.length - 1, true);
    panels.events.element.dataset.empty = events.length > 0 ? "" : "Loading …";
    panels.transcript.set(events);
    panels.decisions.set({ events, spans: this.spans });
    panels.usage.set({ events, spans: this.spans, reading });
    this.approvals.set(events);
    if (events.length === 0) return;
    this.scrubber.set(events, reading.takeovers);
    this.showFacts();
    this.showOrigin();
    this.showStatus(statusIn(events) ?? this.summary?.status);
  }

  choose(event) {
    this.chosen = event;
    this.scrubber.show(event);
    this.details.event(event, {
      took: this.reading.took.get(event.seq),
      takenOver: this.reading.takeovers.has(event.seq),
    });
  }

  /** While the hand moves only what moves is drawn; the details follow when it rests. */
  scrub(index) {
    const event = this.events[index];
    if (event === undefined) return;
    this.list.select(index, false);
    this.list.draw();
    this.chosen = event;
    this.scrubber.show(event);
    clearTimeout(this.settled);
    this.settled = setTimeout(() => this.choose(event), 90);
  }

  step(by) {
    const { list } = this;
    list.select(Math.max(0, Math.min(list.items.length - 1, list.selected + by)), true);
  }

  reveal(seq) {
    const index = this.events.findIndex((event) => event.seq === seq);
    if (index < 0) return;
    this.show("events");
    this.list.select(index, true);
  }

  showStatus(status = "") {
    this.status.textContent = status;
    this.status.dataset.tone = toneOf(status);
  }

  showFacts() {
    const { events, reading } = this;
    const { input, output, micros, currency } = this.panels.usage.totals();
    const fact = (name, value, tone) => h("div", { "data-tone": tone }, h("h3", {}, name), h("span", {}, value));
    this.facts.replaceChildren(
      fact("Events", count(events.length)),
      fact("Took", duration(events.at(-1).at - events[0].at)),
      fact("Workers", Math.max(1, reading.fences.size), reading.fences.size > 1 ? "warn" : ""),
      fact("Retries", reading.retried.size, reading.retried.size > 0 ? "warn" : ""),
      ...(input + output > 0 ? [fact("Tokens", `${count(input)} in, ${count(output)} out`)] : []),
      ...(currency === undefined ? [] : [fact("Cost", money({ micros, currency }))]),
    );
  }

  showOrigin() {
    const forked = this.events.find(({ type, body }) => type === "session.forked" && body?.from);
    if (forked === undefined || this.origin.firstChild) return;
    const to = `compare/${encodeURIComponent(forked.body.from)}/${encodeURIComponent(this.id)}`;
    this.origin.append(h("button", { onclick: () => this.goTo(to) }, "Compare with origin"));
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.later);
    clearTimeout(this.settled);
    this.live.stop();
  }
}

/** What the last event that speaks of it says the session is doing. */
function statusIn(events) {
  for (let index = events.length - 1; index >= 0; index--) {
    const { type } = events[index];
    if (type === "session.ended") return "ended";
    if (type === "session.parked") return "parked";
    if (type.startsWith("session.status_")) return type.slice("session.status_".length);
    if (type === "approval.requested") return "waiting";
    if (/^(?:turn\.started|session\.recovered|approval\.answered)$/.test(type)) return "running";
  }
  return undefined;
}
