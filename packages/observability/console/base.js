export const $ = (id) => document.getElementById(id);

/** Elements from data: texts only ever become text nodes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-")) element.setAttribute(name, String(value));
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(clean(child)))));
  return element;
}
export const clean = (value) => String(value ?? "").replace(/[\u202a-\u202e\u2066-\u2069\u200b-\u200f]/g, "\u00b7");

let sayTimer;
export function say(text) {
  $("say").textContent = clean(text);
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => {
    $("say").textContent = "";
  }, 6000);
}

export async function call(path, options) {
  let response;
  try {
    response = await fetch(`api/${path}`, options);
  } catch {
    throw new Error("The server cannot be reached. What is shown stays; it will be tried again.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.message ?? `The server answered ${response.status}.`);
  return body;
}
export const post = (path, body) =>
  call(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-ashlar-console": "1" },
    body: JSON.stringify(body),
  });

/** Shows only the rows in sight; moved and opened by keyboard. */
export class VirtualList {
  constructor(element, { height, row, choose, near }) {
    Object.assign(this, { element, height, row, choose, near, items: [], selected: -1 });
    this.space = h("div", { role: "presentation" });
    element.replaceChildren(this.space);
    element.addEventListener("scroll", () => this.soon());
    element.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.soon()).observe(element);
  }
  set(items) {
    this.items = items;
    this.soon();
  }
  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }
  draw() {
    const { element, height, items } = this;
    this.space.style.height = `${items.length * height}px`;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - 4);
    const last = Math.min(items.length, Math.ceil((element.scrollTop + element.clientHeight) / height) + 4);
    const rows = [];
    for (let index = first; index < last; index++) {
      const row = this.row(items[index], index);
      row.id = `${element.id}-${index}`;
      row.style.top = `${index * height}px`;
      row.style.height = `${height}px`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-posinset", index + 1);
      row.setAttribute("aria-setsize", items.length);
      row.setAttribute("aria-selected", index === this.selected);
      row.addEventListener("click", () => this.select(index, true));
      rows.push(row);
    }
    this.space.replaceChildren(...rows);
    if (this.selected >= 0) element.setAttribute("aria-activedescendant", `${element.id}-${this.selected}`);
    if (last >= items.length - 20) this.near?.();
  }
  select(index, open) {
    if (index < 0 || index >= this.items.length) return;
    this.selected = index;
    const top = index * this.height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.element.scrollTop = top + this.height - clientHeight;
    this.soon();
    if (open) this.choose?.(this.items[index], index);
  }
  key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const to = {
      ArrowDown: this.selected + 1,
      j: this.selected + 1,
      ArrowUp: this.selected - 1,
      k: this.selected - 1,
      PageDown: this.selected + page,
      PageUp: this.selected - page,
      Home: 0,
      End: this.items.length - 1,
    }[event.key];
    if (event.key === "Enter") this.select(this.selected, true);
    else if (to === undefined) return;
    else
      this.select(
        Math.max(0, Math.min(to, this.items.length - 1)),
        this.element.id === "events" || this.element.id === "spans",
      );
    event.preventDefault();
  }
}

export function duration(ms) {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)} min ${Math.floor((ms % 60000) / 1000)} s`;
  return `${Math.floor(ms / 3600000)} h ${Math.floor((ms % 3600000) / 60000)} min`;
}
export const since = (event, before) => {
  const gap = before === undefined ? 0 : event.at - before.at;
  return gap < 0 ? `clock ${duration(gap)}` : `+${duration(gap)}`;
};
export const time = (at) => new Date(at).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });

/** What an event says in one line. */
export function line({ body, blob }) {
  if (blob) return `${blob.mediaType}, ${blob.bytes} bytes`;
  if (body === undefined || body === null) return "";
  if (typeof body !== "object") return String(body);
  const first = ["name", "tool", "model", "reason", "text", "message", "content", "result", "output"].filter(
    (key) => body[key] !== undefined,
  );
  const keys = first.length > 0 ? first : Object.keys(body).slice(0, 5);
  return keys
    .map((key) => (typeof body[key] === "string" ? body[key] : `${key} ${JSON.stringify(body[key])}`))
    .join("  ")
    .slice(0, 300);
}
export const tone = (type) =>
  /fail|error|denied|killed/.test(type)
    ? " bad"
    : /approval|waiting|retry|recovered|uncertain/.test(type)
      ? " warn"
      : "";

export const money = ({ micros, currency }) =>
  `${(micros / 1e6).toFixed(micros < 10000 ? 6 : micros < 1e6 ? 4 : 2)} ${currency}`;
export const pairs = (values) =>
  h(
    "dl",
    {},
    ...Object.entries(values)
      .filter(([, value]) => value !== undefined && value !== "")
      .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
