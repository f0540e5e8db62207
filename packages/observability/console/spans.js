import { duration, h } from "./base.js";
import { VirtualList } from "./virtual-list.js";

/** A session's spans as trees, each on the time that all of them took. */
export class Spans {
  constructor({ choose }) {
    this.element = h("div", {
      id: "spans",
      class: "list",
      role: "listbox",
      tabindex: "0",
      "aria-label": "Spans",
      hidden: true,
      "data-empty": "Looking for spans …",
    });
    this.list = new VirtualList(this.element, {
      height: 28,
      opens: true,
      cells: ["name", "scope", "track", "took"],
      fill: (span, _, { name, track }) => {
        name.style.paddingLeft = `${span.depth * 14}px`;
        const bar = track.firstElementChild ?? track.appendChild(document.createElement("i"));
        const left = Math.max(0, (span.startAt - this.from) / this.whole);
        const right = Math.min(1, (span.until - this.from) / this.whole);
        bar.style.left = `${left * 100}%`;
        bar.style.width = `${(right - left) * 100}%`;
        bar.hidden = left > 1 || right < 0;
        const state = span.status === "error" ? " bad" : span.open ? " open" : "";
        return {
          kind: `span ${span.scope.replace(/^ashlar\./, "")}${state}`,
          name: span.name,
          scope: span.scope.replace(/^ashlar\./, ""),
          took: span.open ? "not ended" : duration(span.endAt - span.startAt),
        };
      },
      choose,
    });
    this.element.addEventListener("dblclick", () => this.zoom());
  }

  /** The chosen span over the whole width; again: all of them. */
  zoom() {
    const chosen = this.list.items[this.list.selected];
    const zoomed = this.from === chosen?.startAt && this.zoomed;
    if (chosen === undefined || zoomed) this.scale(this.list.items);
    else this.scale([chosen]);
    this.zoomed = !zoomed && chosen !== undefined;
    this.list.stale = true;
    this.list.soon();
  }

  scale(spans) {
    this.from = Math.min(...spans.map(({ startAt }) => startAt));
    this.whole = Math.max(0.001, Math.max(...spans.map(({ until }) => until)) - this.from);
  }

  set(found, cut) {
    this.element.dataset.empty =
      found.length > 0 ? "" : "No span of this session is in the trace store, or none is connected.";
    if (cut) this.element.dataset.cut = "Only the first 5,000 spans are shown.";
    const ordered = inTreeOrder(found);
    this.scale(ordered);
    this.list.set(ordered);
  }
}

/** Parents before children; a span that has not ended reaches to the last sign of what happened below it. */
function inTreeOrder(found) {
  const ids = new Set(found.map(({ spanId }) => spanId));
  const children = Map.groupBy(found, ({ parentSpanId }) => (ids.has(parentSpanId) ? parentSpanId : ""));
  const ordered = [];
  const seen = new Set();
  const stack = [...(children.get("") ?? [])].reverse().map((span) => ({ ...span, depth: 0 }));
  while (stack.length > 0) {
    const span = stack.pop();
    if (seen.has(span.spanId)) continue;
    seen.add(span.spanId);
    ordered.push(span);
    for (const child of [...(children.get(span.spanId) ?? [])].reverse())
      stack.push({ ...child, above: span, depth: Math.min(12, span.depth + 1) });
  }
  for (const span of found) if (!seen.has(span.spanId)) ordered.push({ ...span, depth: 0 });
  for (const span of ordered) span.until = span.endAt;
  for (const span of ordered.toReversed())
    if (span.above?.open && span.until > span.above.until) span.above.until = span.until;
  return ordered;
}
