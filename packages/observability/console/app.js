import { $, call, h, say } from "./base.js";
import { listenToKeys } from "./keys.js";
import { Sessions } from "./sessions.js";

let me = { actions: false };
let view;

const goTo = (hash, fresh = false) => {
  if (fresh) void sessions.fresh();
  location.hash = hash.startsWith("compare/") ? hash : encodeURIComponent(hash);
};
const sessions = new Sessions({ open: (id) => goTo(id) });
listenToKeys({ view: () => view });

async function route() {
  const parts = location.hash.slice(1).split("/").map(decodeURIComponent);
  const [place, left, right] = parts;
  if (place === "main") return;
  view?.stop();
  view = undefined;
  document.body.classList.toggle("inside", place !== "");
  if (place === "") return welcome();
  sessions.mark(place);
  if (place === "compare") return (await import("./comparison.js")).showComparison(left, right);
  if (place === "evaluations") return (await import("./evaluations.js")).showEvaluations(left, right);
  const { SessionView } = await import("./session.js");
  if (location.hash.slice(1) !== encodeURIComponent(place)) return;
  view = new SessionView(place, { me, summary: sessions.find(place), goTo });
  await view.open();
}

function welcome() {
  $("main").replaceChildren(
    h(
      "div",
      { class: "empty welcome" },
      h("h2", {}, "Choose a session"),
      h("p", {}, "What it said and did, event by event; what it cost; who decided what. As it happens, or long after."),
      h(
        "p",
        {},
        h("kbd", {}, "↑"),
        " ",
        h("kbd", {}, "↓"),
        " move, ",
        h("kbd", {}, "Enter"),
        " opens, ",
        h("kbd", {}, "/"),
        " finds, ",
        h("kbd", {}, "?"),
        " all keys",
      ),
    ),
  );
}

addEventListener("hashchange", () => {
  say("");
  void route();
});
const asked = call("me").catch((error) => {
  say(error.message);
  return { actions: false };
});
if (location.hash.length > 1) void import("./session.js");
else welcome();
await sessions.fresh();
me = await asked;
$("to-evaluations").hidden = me.evaluations !== true;
if (location.hash.length > 1) await route();
else $("sessions").focus();
