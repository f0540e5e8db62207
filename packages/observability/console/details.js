import { duration, h, json, money, pairs, time } from "./base.js";
import { familyOf, told } from "./read-event.js";

/** The pane beside a list: one event or one span with all that is known of it. */
export class Details {
  constructor({ zoom }) {
    this.zoom = zoom;
    this.element = h("aside", { "aria-label": "Details", tabindex: "0" });
    this.none();
  }

  none() {
    this.element.replaceChildren(h("p", { class: "empty" }, "Choose a row to see all of it."));
  }

  event(event, { took, takenOver } = {}) {
    if (event === undefined) return;
    const { subject } = told(event);
    this.element.replaceChildren(
      h("h2", { class: `type ${familyOf(event)}` }, event.type),
      subject === "" ? "" : h("p", { class: "subject" }, subject),
      takenOver ? h("p", { class: "note" }, "Another worker took the session over here.") : "",
      pairs({
        sequence: event.seq,
        at: time(event.at),
        took: took === undefined ? undefined : duration(took),
        turn: event.turn,
        step: event.step,
        attempt: event.attempt,
        "idempotency key": event.idempotencyKey,
        writer: event.fence,
        trace: event.traceparent?.split("-")[1],
      }),
      h("h3", {}, "Body"),
      json(event.body ?? event.blob),
    );
  }

  span(span) {
    this.element.replaceChildren(
      h("h2", {}, span.name),
      h("button", { class: "small", onclick: () => this.zoom(), "aria-keyshortcuts": "z" }, "Zoom ", h("kbd", {}, "z")),
      pairs({
        service: span.service,
        scope: span.scope,
        kind: span.kind,
        began: time(span.startAt),
        took: span.open ? "not ended: it runs, or its process died" : duration(span.endAt - span.startAt),
        status: span.statusMessage ?? (span.status === "unset" ? undefined : span.status),
        cost: span.price && money(span.price),
        span: span.spanId,
      }),
      h("h3", {}, "Attributes"),
      pairs(Object.fromEntries(Object.entries(span.attributes).map(([key, value]) => [key, plain(value)]))),
      ...(span.events ?? []).flatMap(({ name, at, attributes }) => [
        h("h3", {}, `${name}, ${duration(at - span.startAt)} in`),
        json(attributes),
      ]),
    );
  }
}

const plain = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
