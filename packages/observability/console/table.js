import { h } from "./base.js";

/** `rows` hold `cells`, and a `tone` where one stands out. Names that end in ` #` head figures. */
export const table = (caption, names, rows) =>
  h(
    "table",
    {},
    h("caption", {}, caption),
    h(
      "thead",
      {},
      h("tr", {}, ...names.map((name) => h("th", { scope: "col", class: figure(name) }, name.replace(/ #$/, "")))),
    ),
    h(
      "tbody",
      {},
      ...rows.map(({ tone, cells }) =>
        h("tr", { class: tone }, ...cells.map((cell, index) => h("td", { class: figure(names[index]) }, cell))),
      ),
    ),
  );

const figure = (name) => (name.endsWith(" #") ? "figures" : undefined);
