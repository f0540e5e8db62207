import { $, call, duration, h, line, money, pairs, post, say, since, time, tone, VirtualList } from "./base.js";
import { showComparison } from "./comparison.js";
import { showEvaluations } from "./evaluations.js";
import { Transcript } from "./transcript.js";

const state = { me: { actions: false }, sessions: [], cursor: undefined, loading: false, open: undefined };

const sessions = new VirtualList($("sessions"), {
  height: 54,
  row: (session) =>
    h(
      "div",
      { class: "row session" },
      h("span", { class: "agent" }, session.agent),
      h("span", { class: `status ${statusClass(session.status)}` }, session.status),
      h("span", { class: "id mono quiet" }, session.id),
      h("span", { class: "time quiet" }, time(session.startedAt)),
    ),
  choose: (session) => {
    location.hash = encodeURIComponent(session.id);
  },
  near: () => more(),
});
const statusClass = (status) =>
  /fail/.test(status) ? "failed" : /wait/.test(status) ? "waiting" : /run/.test(status) ? "running" : "";

async function more(fresh = false) {
  if (fresh) Object.assign(state, { sessions: [], cursor: undefined, round: (state.round ?? 0) + 1, all: false });
  else if (state.loading || state.all) return;
  const { round } = state;
  state.loading = true;
  try {
    const query = new URLSearchParams({
      limit: "100",
      status: $("status").value,
      ...(state.cursor ? { cursor: state.cursor } : {}),
    });
    const page = await call(`sessions?${query}`);
    if (round !== state.round) return;
    state.sessions.push(...page.items);
    state.cursor = page.cursor;
    state.all = page.cursor === undefined;
    showSessions();
  } catch (error) {
    state.all = true;
    say(error.message);
  } finally {
    state.loading = false;
  }
}
function showSessions() {
  const wanted = $("search").value.trim().toLowerCase();
  const shown =
    wanted === ""
      ? state.sessions
      : state.sessions.filter(
          ({ id, agent }) => id.toLowerCase().includes(wanted) || agent.toLowerCase().includes(wanted),
        );
  $("count").textContent = `${shown.length.toLocaleString()}${state.all ? "" : "+"}`;
  sessions.set(shown);
}

async function open(id) {
  state.open?.stop();
  const view = { id, events: [], spans: [], stop: () => view.source?.close() };
  state.open = view;
  const list = h("div", {
    id: "events",
    class: "list",
    role: "listbox",
    tabindex: "0",
    "aria-label": "Events in order",
  });
  const spanList = h("div", {
    id: "spans",
    class: "list",
    role: "listbox",
    tabindex: "0",
    "aria-label": "Spans",
    hidden: true,
  });
  const aside = h("aside", { "aria-label": "Details", tabindex: "0" });
  const canvas = h("canvas", { "aria-hidden": "true" });
  const range = h("input", { type: "range", min: "1", max: "1", value: "1", "aria-label": "Event by sequence number" });
  const output = h("output", {});
  const facts = h("div", { class: "facts" });
  const approvals = h("div", { id: "approvals" });
  const live = h("span", { class: "live" }, "loading");
  const transcript = new Transcript();
  const tab = (name, label) =>
    h(
      "button",
      { role: "tab", id: `tab-${name}`, "aria-selected": name === "events", onclick: () => show(name) },
      label,
    );
  const summary = state.sessions.find((each) => each.id === id);
  const action = (label, kind, run) => h("button", { class: kind, onclick: run }, label);
  const compare = h("span", {});
  const chosen = () => view.events[events.selected]?.seq ?? view.events.at(-1)?.seq ?? 0;
  $("main").replaceChildren(
    h(
      "div",
      { class: "head" },
      h("div", { class: "title" }, h("h2", {}, summary?.agent ?? "Session"), h("span", { class: "mono quiet" }, id)),
      facts,
      state.me.actions
        ? h(
            "div",
            { class: "actions" },
            action("Fork here", "", () =>
              confirmed(
                "Fork the session?",
                `A new session begins with the first ${chosen()} events. Recorded effects are not made again.`,
                () => post(`sessions/${encodeURIComponent(id)}/fork`, { afterSeq: chosen() }),
                (made) => {
                  void more(true);
                  location.hash = encodeURIComponent(made.id);
                },
              ),
            ),
            state.me.check
              ? action("Check", "", () =>
                  act(
                    () => post(`sessions/${encodeURIComponent(id)}/check`, {}),
                    ({ divergence }) => {
                      say(
                        divergence === undefined
                          ? "Checked: today's code does what the record says."
                          : `Differs from the record${divergence.seq === undefined ? "" : ` at event ${divergence.seq}`}: ${divergence.what}`,
                      );
                      const index = view.events.findIndex(({ seq }) => seq === divergence?.seq);
                      if (index >= 0) events.select(index, true);
                    },
                  ),
                )
              : "",
            action("Kill", "danger", () =>
              confirmed(
                "Kill the session?",
                "It ends at once. Its log stays.",
                () => post(`sessions/${encodeURIComponent(id)}/kill`, {}),
                () => say("The session was killed."),
              ),
            ),
          )
        : "",
      compare,
    ),
    approvals,
    h("div", { class: "scrub" }, canvas, range, output),
    h(
      "div",
      { class: "tabs", role: "tablist" },
      tab("events", "Timeline"),
      tab("transcript", "Transcript"),
      tab("spans", "Spans"),
      live,
    ),
    h("div", { class: "body" }, list, spanList, transcript.element, aside),
  );

  const events = new VirtualList(list, {
    height: 34,
    row: (event, index) => {
      const before = view.events[index - 1];
      const taken = before !== undefined && before.fence !== event.fence;
      const again = event.attempt > 1 ? `attempt ${event.attempt}  ` : "";
      return h(
        "div",
        {
          class: `row event${tone(event.type)}${taken ? " taken" : ""}`,
          title: taken ? "another writer took over here" : undefined,
        },
        h("span", { class: "seq" }, event.seq),
        h("span", { class: "since" }, since(event, before)),
        h("span", { class: "type mono" }, event.type),
        h("span", { class: "text" }, `${taken ? "new writer  " : ""}${again}${line(event)}`),
      );
    },
    choose: (event) => {
      range.value = event.seq;
      detail(event);
    },
  });
  const spans = new VirtualList(spanList, {
    height: 30,
    row: (span) => {
      const bar = h("i", {});
      bar.style.left = `${((span.startAt - view.from) / view.whole) * 100}%`;
      bar.style.width = `${((span.endAt - span.startAt) / view.whole) * 100}%`;
      const name = h("span", {}, span.name);
      name.style.paddingLeft = `${span.depth * 14}px`;
      return h(
        "div",
        { class: `row span${span.status === "error" ? " bad" : ""}` },
        name,
        h("span", { class: "track" }, bar),
        h("span", { class: "took" }, duration(span.endAt - span.startAt)),
      );
    },
    choose: (span) =>
      aside.replaceChildren(
        h("h2", {}, span.name),
        pairs({
          service: span.service,
          scope: span.scope,
          began: time(span.startAt),
          took: duration(span.endAt - span.startAt),
          status: span.statusMessage ?? span.status,
          cost: span.price && money(span.price),
        }),
        h("h3", {}, "Attributes"),
        h("pre", {}, JSON.stringify(span.attributes, null, 2)),
      ),
  });
  function show(name) {
    list.hidden = name !== "events";
    spanList.hidden = name !== "spans";
    transcript.element.hidden = name !== "transcript";
    for (const each of ["events", "transcript", "spans"]) $(`tab-${each}`).setAttribute("aria-selected", each === name);
    if (name === "transcript") transcript.draw();
    ({ events, spans })[name]?.soon();
  }
  view.show = show;
  function detail(event) {
    output.textContent = `event ${event.seq} of ${view.events.at(-1).seq}, ${time(event.at)}`;
    const text = JSON.stringify(event.body ?? event.blob ?? null, null, 2);
    aside.replaceChildren(
      h("h2", {}, event.type),
      pairs({
        sequence: event.seq,
        at: time(event.at),
        turn: event.turn,
        step: event.step,
        attempt: event.attempt,
        "idempotency key": event.idempotencyKey,
        writer: event.fence,
      }),
      h("h3", {}, "Body"),
      h("pre", {}, text.length > 200000 ? `${text.slice(0, 200000)}\n… ${text.length - 200000} more characters` : text),
    );
  }
  range.addEventListener("input", () => {
    const index = Math.min(view.events.length - 1, Math.max(0, Number(range.value) - (view.events[0]?.seq ?? 1)));
    events.select(index, false);
    view.frame ??= requestAnimationFrame(() => {
      view.frame = undefined;
      detail(view.events[events.selected]);
    });
  });
  function strip() {
    const { clientWidth: width } = canvas;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = 36 * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const step = width / Math.max(1, view.events.length);
    for (let index = 0; index < view.events.length; index++) {
      const gap = index === 0 ? 0 : Math.abs(view.events[index].at - view.events[index - 1].at);
      const height = 3 + Math.min(32, Math.log10(1 + gap) * 5.5);
      const kind = tone(view.events[index].type);
      pen.fillStyle = style.getPropertyValue(kind === " bad" ? "--bad" : kind === " warn" ? "--warn" : "--bar");
      pen.fillRect(index * step, 36 - height, Math.max(1, step - 1), height);
    }
  }
  function changed() {
    events.set(view.events);
    transcript.set(view.events);
    const last = view.events.at(-1);
    if (last === undefined) return;
    range.min = view.events[0].seq;
    range.max = last.seq;
    view.strip ??= requestAnimationFrame(() => {
      view.strip = undefined;
      strip();
    });
    const writers = new Set(view.events.map(({ fence }) => fence)).size;
    const cost = view.spans.reduce((sum, { price }) => sum + (price?.micros ?? 0), 0);
    const tokens = view.spans
      .filter(({ attributes }) => attributes["gen_ai.operation.name"] === "chat")
      .reduce(
        (sum, { attributes }) =>
          sum + (attributes["gen_ai.usage.input_tokens"] ?? 0) + (attributes["gen_ai.usage.output_tokens"] ?? 0),
        0,
      );
    const fact = (name, value) => h("div", {}, h("h3", {}, name), String(value));
    facts.replaceChildren(
      fact("Events", view.events.length.toLocaleString()),
      fact("Took", duration(last.at - view.events[0].at)),
      fact("Writers", writers),
      ...(tokens > 0 ? [fact("Tokens", tokens.toLocaleString())] : []),
      ...(cost > 0
        ? [fact("Cost", money({ micros: cost, currency: view.spans.find(({ price }) => price).price.currency }))]
        : []),
    );
    const origin = view.events.find(({ type, body }) => type === "session.forked" && body?.from)?.body.from;
    compare.replaceChildren(
      ...(origin === undefined
        ? []
        : [
            h(
              "button",
              {
                onclick: () => {
                  location.hash = `compare/${encodeURIComponent(origin)}/${encodeURIComponent(id)}`;
                },
              },
              "Compare with origin",
            ),
          ]),
    );
    pending();
  }
  function pending() {
    const open = new Map();
    for (const { type, body } of view.events) {
      const request = body?.request;
      if (typeof request !== "string") continue;
      if (/request/.test(type)) open.set(request, body);
      else if (/answer|approved|denied|resolved|expired/.test(type)) open.delete(request);
    }
    if (!state.me.actions || /^session\.ended/.test(view.events.at(-1)?.type ?? "")) open.clear();
    approvals.replaceChildren(
      ...[...open].map(([request, body]) => {
        const answer = (allow) =>
          act(
            () => post(`sessions/${encodeURIComponent(id)}/answer`, { request, allow }),
            () => say(allow ? "Approved." : "Denied."),
          );
        return h(
          "div",
          { class: "approval", role: "group", "aria-label": "Waits for approval" },
          h("span", {}, `Waits for approval: ${line({ body })}`),
          h("button", { class: "strong", onclick: () => answer(true) }, "Approve"),
          h("button", { onclick: () => answer(false) }, "Deny"),
        );
      }),
    );
  }

  try {
    for (let after = 0; ; ) {
      const page = await call(`sessions/${encodeURIComponent(id)}/events?after=${after}&limit=2000`);
      if (state.open !== view) return;
      view.events.push(...page.items);
      after = view.events.at(-1)?.seq ?? 0;
      if (after === page.items[0]?.seq + page.items.length - 1 || page.items.length > 0) changed();
      if (page.cursor === undefined || page.items.length === 0) break;
    }
    events.select(0, true);
  } catch (error) {
    say(error.message);
  }
  view.source = new EventSource(`api/sessions/${encodeURIComponent(id)}/live?after=${view.events.at(-1)?.seq ?? 0}`);
  view.source.onopen = () => {
    live.textContent = "live";
    live.className = "live on";
  };
  view.source.onerror = () => {
    live.textContent = "not connected, trying again";
    live.className = "live";
  };
  view.source.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (event.seq <= (view.events.at(-1)?.seq ?? 0)) return;
    view.events.push(event);
    changed();
  };
  const { spans: found = [] } = await call(`sessions/${encodeURIComponent(id)}/spans`).catch(() => ({}));
  if (state.open !== view) return;
  view.spans = found;
  view.from = Math.min(...found.map(({ startAt }) => startAt));
  view.whole = Math.max(1, Math.max(...found.map(({ endAt }) => endAt)) - view.from);
  spans.set(inTreeOrder(found));
  changed();
}

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
      stack.push({ ...child, depth: Math.min(12, span.depth + 1) });
  }
  return ordered.concat(found.filter(({ spanId }) => !seen.has(spanId)).map((span) => ({ ...span, depth: 0 })));
}
async function act(run, then) {
  try {
    then(await run());
  } catch (error) {
    say(error.message);
  }
}
function confirmed(title, text, run, then) {
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask").onclose = () => {
    if ($("ask").returnValue === "yes") void act(run, then);
  };
  $("ask").returnValue = "";
  $("ask").showModal();
}

addEventListener("hashchange", () => {
  const [view, left, right] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (view === "" || view === "main") return;
  if (view !== "compare" && view !== "evaluations") return void open(view);
  state.open?.stop();
  state.open = undefined;
  if (view === "compare") void showComparison(left, right);
  else void showEvaluations(left, right);
});
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "/") {
    $("search").focus();
    event.preventDefault();
  }
  if (event.key === "t") state.open?.show("events");
  if (event.key === "m") state.open?.show("transcript");
  if (event.key === "s") state.open?.show("spans");
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("search").addEventListener("input", showSessions);
$("status").addEventListener("change", () => more(true));

const me = call("me").catch((error) => {
  say(error.message);
  return { actions: false };
});
await more(true);
state.me = await me;
$("to-evaluations").hidden = state.me.evaluations !== true;
if (location.hash.length > 1) dispatchEvent(new Event("hashchange"));
else $("sessions").focus();
