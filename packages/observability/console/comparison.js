import { $, call, count, duration, h, json, money, say } from "./base.js";
import { familyOf, line } from "./read-event.js";
import { VirtualList } from "./virtual-list.js";

const words = { same: "alike", changed: "differs", left: "only left", right: "only right" };

/** Two sessions beside each other, what both share left out. */
export async function showComparison(left, right) {
  const query = new URLSearchParams({ left, right });
  let compared;
  try {
    compared = await call(`compare?${query}`);
  } catch (error) {
    return say(error.message);
  }
  const list = h("div", {
    id: "compared",
    class: "list",
    role: "listbox",
    tabindex: "0",
    "aria-label": "Both sessions",
  });
  const aside = h("aside", { "aria-label": "Details", tabindex: "0" });
  $("main").replaceChildren(
    h(
      "header",
      { class: "head" },
      h("a", { class: "back", href: "#" }, "‹ Sessions"),
      h(
        "div",
        { class: "title" },
        h("h2", {}, "Side by side"),
        h("span", { class: "quiet" }, `The first ${count(compared.shared)} events are the same.`),
      ),
    ),
    h("div", { class: "sides" }, side("Left", compared.left), side("Right", compared.right)),
    h("div", { class: "body" }, list, aside),
  );
  const rows = new VirtualList(list, {
    height: 32,
    opens: true,
    cells: ["what", "one", "other"],
    fill: ({ kind, left: one, right: other }, _, cells) => {
      cells.one.dataset.family = one ? familyOf(one) : "";
      cells.other.dataset.family = other ? familyOf(other) : "";
      return { kind: `pair ${kind}`, what: words[kind], one: told(one), other: told(other) };
    },
    choose: ({ left: one, right: other }) => aside.replaceChildren(...body("Left", one), ...body("Right", other)),
  });
  rows.set(compared.rows);
  list.focus();
}

function side(name, { session, executed, recorded, inputTokens, outputTokens, costMicros, tookMs }) {
  const steps = (counts) =>
    Object.entries(counts)
      .map(([step, times]) => (times === 1 ? step : `${step} ×${times}`))
      .join(", ") || "nothing";
  return h(
    "section",
    { "aria-label": name },
    h("h3", {}, name, " ", h("a", { href: `#${encodeURIComponent(session)}`, class: "mono" }, session)),
    h("p", {}, `Executed: ${steps(executed)}`),
    h("p", { class: "recorded" }, `From the record, not executed: ${steps(recorded)}`),
    h(
      "p",
      { class: "quiet" },
      `${count(inputTokens)} tokens in, ${count(outputTokens)} out, ${money({ micros: costMicros, currency: "" })}, ${duration(tookMs)}`,
    ),
  );
}

function told(event) {
  if (event === undefined) return "";
  const from = event.body?.recorded === true ? "(from the record)" : "";
  return [event.seq, event.type, from, line(event)].filter(Boolean).join("  ");
}

const body = (name, event) =>
  event === undefined ? [] : [h("h3", {}, `${name}: ${event.type}`), json(event.body, 100000)];
