import { count, duration, h, perFrame, time } from "./base.js";
import { familyOf } from "./read-event.js";

const HEIGHT = 44;
const rank = { bad: 3, warn: 2, memory: 1, policy: 1 };

/** The whole session by sequence number: the taller a bar, the longer nothing happened before it. */
export class Scrubber {
  constructor({ move }) {
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.range = h("input", {
      type: "range",
      min: "1",
      max: "1",
      value: "1",
      "aria-label": "Event by sequence number",
    });
    this.head = h("i", { class: "playhead" });
    this.output = h("output", {});
    const legend = h("span", { class: "quiet" }, "taller: a longer wait before · line: another worker");
    this.element = h(
      "div",
      { class: "scrub" },
      h("div", { class: "strip" }, this.canvas, this.head, this.range),
      h("div", { class: "under" }, this.output, legend),
    );
    this.events = [];
    this.width = 0;
    this.draw = perFrame(() => this.paint());
    const moved = perFrame(() => move(this.index()));
    this.range.addEventListener("input", () => {
      // At once: events that come before the next frame leave the hand where it is.
      this.at = this.events[this.index()] ?? this.at;
      moved();
    });
    new ResizeObserver(this.draw).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.draw);
  }

  index() {
    const first = this.events[0]?.seq ?? 1;
    return Math.min(this.events.length - 1, Math.max(0, Number(this.range.value) - first));
  }

  set(events, takeovers) {
    Object.assign(this, { events, takeovers });
    this.range.min = String(events[0]?.seq ?? 1);
    this.range.max = String(events.at(-1)?.seq ?? 1);
    this.draw();
    if (this.at !== undefined) this.show(this.at);
  }

  show(event) {
    this.at = event;
    if (this.range.value !== String(event.seq)) this.range.value = String(event.seq);
    const index = this.index();
    const before = this.events[index - 1];
    const gap = before === undefined ? "" : `, ${duration(event.at - before.at)} after the one before`;
    this.output.textContent = `Event ${count(event.seq)} of ${count(this.events.at(-1).seq)} · ${time(event.at)}${gap}`;
    this.head.style.transform = `translateX(${((index + 0.5) / this.events.length) * this.width}px)`;
  }

  paint() {
    const { canvas, events } = this;
    const width = canvas.clientWidth;
    this.width = width;
    if (width === 0 || events.length === 0) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const colours = Object.fromEntries(
      ["bad", "warn", "memory", "policy", "said", "model", "step", "other"].map((name) => [
        name,
        style.getPropertyValue(`--${name}`),
      ]),
    );
    const step = width / events.length;
    // Where several events share a column, its longest wait and its gravest kind are shown.
    for (let column = 0, index = 0; index < events.length; column++) {
      let height = 0;
      let family = "";
      const until = Math.max(index + 1, Math.ceil(((column + 1) * Math.max(1, step)) / step));
      const left = index * step;
      for (; index < until && index < events.length; index++) {
        const gap = index === 0 ? 0 : Math.abs(events[index].at - events[index - 1].at);
        height = Math.max(height, 4 + Math.min(HEIGHT - 8, Math.log10(1 + gap) * 6.5));
        const own = familyOf(events[index]);
        if (family === "" || (rank[own] ?? 0) > (rank[family] ?? 0)) family = own;
        if (this.takeovers.has(events[index].seq)) {
          pen.fillStyle = colours.warn;
          pen.fillRect(Math.round(index * step), 0, 1, HEIGHT);
        }
      }
      pen.fillStyle = colours[family];
      pen.fillRect(left, HEIGHT - height, Math.max(1, index * step - left - (step > 3 ? 1 : 0)), height);
    }
    if (this.at !== undefined) this.show(this.at);
  }
}
