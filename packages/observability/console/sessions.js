import { $, call, count, h, say, shortTime } from "./base.js";
import { VirtualList } from "./virtual-list.js";

const PAGE = 100;
/** What is fetched at once, and how many hits are enough, while a search looks through sessions not shown yet. */
const SWEEP = 1000;
const ENOUGH = 100;

const tones = { running: "good", waiting: "warn", queued: "calm", parked: "bad" };
export const toneOf = (status) => tones[status] ?? (/fail/.test(status) ? "bad" : "");

/** All sessions, newest first: filtered by the server, searched through page by page. */
export class Sessions {
  constructor({ open }) {
    Object.assign(this, { all: [], agents: new Set(), round: 0, complete: false, loading: false });
    this.list = new VirtualList($("sessions"), {
      height: 56,
      cells: ["agent", "status", "id", "time"],
      fill: ({ id, agent, status, startedAt }, _, cells) => {
        cells.status.dataset.tone = toneOf(status);
        return { kind: `session${id === this.opened ? " opened" : ""}`, agent, status, id, time: shortTime(startedAt) };
      },
      choose: ({ id }) => open(id),
      near: () => this.more(),
    });
    $("search").addEventListener("input", () => this.show());
    $("search").addEventListener("keydown", ({ key }) => {
      if (key === "ArrowDown") this.list.element.focus();
      if (key !== "Enter") return;
      const [only] = this.list.items;
      if (this.list.items.length === 1) open(only.id);
      else if ($("search").value.trim() !== "" && this.complete) open($("search").value.trim());
    });
    for (const name of ["status", "agent"]) $(name).addEventListener("change", () => this.fresh());
    $("filters").addEventListener("submit", (event) => event.preventDefault());
  }

  find(id) {
    return this.all.find((each) => each.id === id);
  }

  mark(id) {
    this.opened = id;
    this.list.selected = this.list.items.findIndex((each) => each.id === id);
    this.list.stale = true;
    this.list.soon();
  }

  fresh() {
    this.list.selected = -1;
    Object.assign(this, { all: [], cursor: undefined, complete: false, loading: false, round: this.round + 1 });
    return this.more();
  }

  async more(limit = PAGE) {
    if (this.loading || this.complete) return;
    const { round } = this;
    this.loading = true;
    try {
      const query = new URLSearchParams({ limit, status: $("status").value, agent: $("agent").value });
      if (this.cursor) query.set("cursor", this.cursor);
      const page = await call(`sessions?${query}`);
      if (round !== this.round) return;
      this.all.push(...page.items);
      this.cursor = page.cursor;
      this.complete = page.cursor === undefined;
      this.offer(page.items);
    } catch (error) {
      if (round === this.round) this.complete = true;
      say(error.message);
    } finally {
      if (round === this.round) this.loading = false;
    }
    if (round === this.round) this.show();
  }

  offer(items) {
    for (const { agent } of items) {
      if (this.agents.has(agent) || this.agents.size >= 200) continue;
      this.agents.add(agent);
      $("agent").append(h("option", { value: agent }, agent));
    }
  }

  show() {
    const wanted = $("search").value.trim().toLowerCase();
    const shown =
      wanted === ""
        ? this.all
        : this.all.filter(({ id, agent }) => id.toLowerCase().includes(wanted) || agent.toLowerCase().includes(wanted));
    this.list.set(shown);
    if (this.opened !== undefined) this.mark(this.opened);
    const searching = wanted !== "" && !this.complete && shown.length < ENOUGH;
    $("count").textContent =
      `${count(shown.length)}${this.complete ? "" : "+"}${searching ? ` of ${count(this.all.length)} looked at` : ""}`;
    $("sessions").dataset.empty =
      shown.length > 0 || this.loading || searching
        ? ""
        : this.all.length > 0 || $("status").value || $("agent").value
          ? "No session fits."
          : "No sessions yet. They stand here as soon as an agent is asked something.";
    if (searching) void this.more(SWEEP);
  }
}
