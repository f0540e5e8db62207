import { duration, h } from "./base.js";
import { familyOf, told } from "./read-event.js";
import { VirtualList } from "./virtual-list.js";

/** More fits into no line; bodies may be large. */
const LONGEST = 1000;

export const since = (event, before) => {
  const gap = before === undefined ? 0 : event.at - before.at;
  return gap < 0 ? `clock ${duration(gap)}` : `+${duration(gap)}`;
};

/** Every event in the order in which it was written. */
export class Timeline {
  constructor({ reading, choose }) {
    this.element = h("div", {
      id: "events",
      class: "list",
      role: "listbox",
      tabindex: "0",
      "aria-label": "Events in order",
    });
    this.list = new VirtualList(this.element, {
      height: 32,
      opens: true,
      cells: ["seq", "since", "type", "marks", "subject", "text", "took"],
      fill: (event, index) => {
        const before = this.list.items[index - 1];
        const { subject, text } = told(event);
        const takenOver = reading.takeovers.has(event.seq);
        const took = reading.took.get(event.seq);
        const marks = [
          takenOver ? "another worker" : "",
          event.attempt > 1 ? `attempt ${event.attempt}` : "",
          event.body?.recorded === true ? "from the record" : "",
        ];
        return {
          kind: `event ${familyOf(event)}${takenOver ? " taken" : ""}`,
          seq: event.seq,
          since: since(event, before),
          type: event.type,
          marks: marks.filter(Boolean).join(" · "),
          subject,
          text: text.slice(0, LONGEST).replaceAll(/\s+/g, " "),
          took: took === undefined ? "" : duration(took),
        };
      },
      choose,
    });
  }
}
