import { $, h } from "./base.js";

const keys = [
  ["/", "find a session"],
  ["↑ ↓  or  j k", "move in a list"],
  ["Enter", "open what is chosen"],
  ["Home End PgUp PgDn", "jump in a list"],
  ["t", "timeline"],
  ["m", "transcript"],
  ["s", "spans"],
  ["d", "memory and policy"],
  ["c", "cost"],
  ["z", "zoom to the chosen span, and back"],
  ["[  ]", "event before, event after"],
  ["f", "fork after the chosen event"],
  ["?", "these keys"],
];

/** Single keys, where nobody is typing. `view` gives the session that is open. */
export function listenToKeys({ view }) {
  $("keys")
    .querySelector("dl")
    .append(...keys.flatMap(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)]));
  $("help").addEventListener("click", () => $("keys").showModal());
  const tabs = { t: "events", m: "transcript", s: "spans", d: "decisions", c: "usage" };
  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches?.("input:not([type=range]), select, textarea")) return;
    const session = view();
    if (key === "/") $("search").focus();
    else if (key === "?") $("keys").showModal();
    else if (session === undefined) return;
    else if (tabs[key] !== undefined) session.show(tabs[key]);
    else if (key === "[" || key === "]") session.step(key === "[" ? -1 : 1);
    else if (key === "z") session.panels.spans.zoom();
    else if (key === "f") document.querySelector(".actions button")?.click();
    else return;
    event.preventDefault();
  });
}
