import { $, h, post, say } from "./base.js";
import { told } from "./read-event.js";

export async function act(run, then) {
  try {
    then(await run());
  } catch (error) {
    say(error.message);
  }
}

export function confirmed(title, text, run, then) {
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask").onclose = () => {
    if ($("ask").returnValue === "yes") void act(run, then);
  };
  $("ask").returnValue = "";
  $("ask").showModal();
}

/** Fork, check and kill. `chosen` gives the sequence number that a fork is made after. */
export function actionsOf(id, { me, chosen, forked, diverged }) {
  const session = `sessions/${encodeURIComponent(id)}`;
  const fork = () => {
    const afterSeq = chosen();
    confirmed(
      "Fork the session?",
      `A new session begins with the first ${afterSeq} events. What was done outside is taken from the record, not done again.`,
      () => post(`${session}/fork`, { afterSeq }),
      forked,
    );
  };
  const check = () =>
    act(
      () => post(`${session}/check`, {}),
      ({ divergence }) => {
        if (divergence === undefined) return say("Checked: today's code does what the record says.");
        say(
          `Differs from the record${divergence.seq === undefined ? "" : ` at event ${divergence.seq}`}: ${divergence.what}`,
        );
        diverged(divergence.seq);
      },
    );
  const kill = () =>
    confirmed(
      "Kill the session?",
      "It ends at once. Its log stays.",
      () => post(`${session}/kill`, {}),
      () => say("The session was killed."),
    );
  return h(
    "div",
    { class: "actions" },
    h("button", { onclick: fork, title: "A new session with the events up to the chosen one" }, "Fork here"),
    me.check
      ? h("button", { onclick: check, title: "Play the record against today's code, without effects" }, "Check")
      : "",
    h("button", { class: "danger", onclick: kill }, "Kill"),
  );
}

/** Requests that wait for a person, with the buttons that answer them. */
export class Approvals {
  constructor(id, { allowed }) {
    this.element = h("div", { id: "approvals" });
    Object.assign(this, { id, allowed, shown: "" });
  }

  set(events) {
    const open = new Map();
    for (const event of events) {
      const request = event.body?.request;
      if (event.type === "approval.requested" && typeof request === "string") open.set(request, event);
      if (event.type === "approval.answered") open.delete(request);
    }
    if (!this.allowed || events.some(({ type }) => type === "session.ended")) open.clear();
    // Drawn only when it changes, so that a button keeps its focus while events come in.
    const shown = JSON.stringify([...open.keys()]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.element.replaceChildren(...[...open].map(([request, event]) => this.one(request, event)));
  }

  one(request, event) {
    const answer = (allow) =>
      act(
        () => post(`sessions/${encodeURIComponent(this.id)}/answer`, { request, allow }),
        () => say(allow ? "Approved." : "Denied."),
      );
    const { subject, text } = told(event);
    return h(
      "div",
      { class: "approval", role: "group", "aria-label": "Waits for approval" },
      h(
        "div",
        {},
        h("h3", {}, "Waits for approval"),
        h("p", {}, h("strong", {}, subject), " ", text),
        event.body.arguments === undefined ? "" : h("code", {}, JSON.stringify(event.body.arguments).slice(0, 500)),
      ),
      h("button", { class: "strong", onclick: () => answer(true) }, "Approve"),
      h("button", { onclick: () => answer(false) }, "Deny"),
    );
  }
}
