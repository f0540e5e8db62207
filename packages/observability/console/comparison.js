import { $, call, duration, h, line, money, say, tone, VirtualList } from "./base.js";

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
      "div",
      { class: "head" },
      h(
        "div",
        { class: "title" },
        h("h2", {}, "Side by side"),
        h("span", { class: "quiet" }, `The first ${compared.shared} events are the same.`),
      ),
    ),
    h("div", { class: "sides" }, side("Left", compared.left), side("Right", compared.right)),
    h("div", { class: "body" }, list, aside),
  );
  const rows = new VirtualList(list, {
    height: 34,
    row: ({ kind, left: one, right: other }) =>
      h(
        "div",
        { class: `row pair ${kind}` },
        h("span", { class: "quiet" }, words[kind]),
        h("span", { class: `text${tone(one?.type ?? "")}` }, told(one)),
        h("span", { class: `text${tone(other?.type ?? "")}` }, told(other)),
      ),
    choose: ({ left: one, right: other }) =>
      aside.replaceChildren(...[one, other].flatMap((event, index) => body(["Left", "Right"][index], event))),
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
      `${inputTokens} tokens in, ${outputTokens} out, ${money({ micros: costMicros, currency: "" })}, ${duration(tookMs)}`,
    ),
  );
}

function told(event) {
  if (event === undefined) return "";
  const { idempotencyKey: _, digest: __, recorded, name, ...rest } = event.body ?? {};
  const from = recorded === true ? "(from the record)" : "";
  return [event.seq, event.type, event.step ?? name ?? "", from, line({ ...event, body: rest })].join(" ");
}

const body = (name, event) =>
  event === undefined
    ? []
    : [
        h("h3", {}, `${name}: ${event.type}`),
        h("pre", {}, JSON.stringify(event.body ?? null, null, 2).slice(0, 100000)),
      ];
