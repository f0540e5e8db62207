import { $, call, h, say } from "./base.js";
import { table } from "./table.js";

/** Two evaluated versions beside each other: the means with their interval, then case by case. */
export async function showEvaluations(before, after) {
  try {
    const { versions } = await call("evaluations");
    const chosen = [before ?? versions.at(-2) ?? versions[0], after ?? versions.at(-1)];
    if (chosen[0] === undefined)
      return void $("main").replaceChildren(
        h("p", { class: "empty" }, "No evaluations yet. They stand here when the server is given some."),
      );
    const query = new URLSearchParams({ before: chosen[0], after: chosen[1] });
    const { summary, cases } = await call(`evaluations?${query}`);
    const choice = (index, label) =>
      h(
        "select",
        {
          "aria-label": label,
          onchange: ({ target }) => {
            location.hash = `evaluations/${chosen.with(index, target.value).map(encodeURIComponent).join("/")}`;
          },
        },
        ...versions.map((version) => h("option", { value: version, selected: version === chosen[index] }, version)),
      );
    $("main").replaceChildren(
      h(
        "header",
        { class: "head" },
        h("a", { class: "back", href: "#" }, "‹ Sessions"),
        h("div", { class: "title" }, h("h2", {}, "Evaluations side by side")),
        h("label", {}, "Before ", choice(0, "Version before")),
        h("label", {}, "After ", choice(1, "Version after")),
      ),
      h(
        "div",
        { class: "tables", tabindex: "0" },
        table(
          "All cases",
          ["Evaluator", "Before #", "After #", "Difference #", "95 % interval #", "Pairs #"],
          summary.map(means),
        ),
        table("Case by case", ["Case", "Evaluator", "Before #", "After #"], cases.map(scores)),
      ),
    );
  } catch (error) {
    say(error.message);
  }
}

const figure = (value) => (value === undefined ? "–" : value.toFixed(2));

const means = ({ evaluator, before, after, difference, interval, significant, pairs }) => ({
  tone: significant ? (difference > 0 ? "better" : "worse") : "",
  cells: [
    evaluator,
    figure(before),
    figure(after),
    figure(difference),
    interval === undefined ? "too few" : `${figure(interval[0])} to ${figure(interval[1])}`,
    pairs,
  ],
});

const scores = ({ id, evaluator, before, after }) => {
  const told = (each) =>
    each === undefined
      ? "–"
      : h(
          "a",
          { href: `#${encodeURIComponent(each.session)}`, title: each.judgement?.explanation ?? each.error },
          each.judgement === undefined ? "not judged" : figure(each.judgement.score),
        );
  const change = (after?.judgement?.score ?? 0) - (before?.judgement?.score ?? 0);
  const tone = before && after && change !== 0 ? (change > 0 ? "better" : "worse") : "";
  return { tone, cells: [id, evaluator, told(before), told(after)] };
};
