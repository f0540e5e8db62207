import { clean, h, perFrame } from "./base.js";

const OVERSCAN = 4;

/**
 * Shows only the rows in sight, in elements that are used again: `cells` names their parts, `fill` gives their texts.
 * Moved and opened by keyboard.
 */
export class VirtualList {
  constructor(element, { height, cells, fill, choose, near, opens = false }) {
    Object.assign(this, { element, height, cells, fill, choose, near, opens, items: [], selected: -1, slots: [] });
    this.space = h("div", { role: "presentation" });
    this.soon = perFrame(() => this.draw());
    element.replaceChildren(this.space);
    element.addEventListener("scroll", this.soon, { passive: true });
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("click", ({ target }) => {
      const row = target.closest("[role=option]");
      if (row !== null) this.select(Number(row.ariaPosInSet) - 1, true);
    });
    new ResizeObserver(this.soon).observe(element);
  }

  set(items) {
    const atEnd = this.atEnd();
    this.items = items;
    this.stale = true;
    this.soon();
    return atEnd;
  }

  atEnd() {
    const { scrollTop, clientHeight } = this.element;
    return scrollTop + clientHeight >= this.items.length * this.height - this.height;
  }

  draw() {
    const { element, height, items } = this;
    const { clientHeight } = element;
    if (clientHeight === 0) return;
    this.space.style.height = `${items.length * height}px`;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - OVERSCAN);
    const last = Math.min(items.length, Math.ceil((element.scrollTop + clientHeight) / height) + OVERSCAN);
    const slots = Math.ceil(clientHeight / height) + 2 * OVERSCAN + 1;
    if (this.slots.length < slots) this.grow(slots);
    const used = new Set();
    for (let index = first; index < last; index++) {
      const slot = this.slots[index % this.slots.length];
      used.add(slot);
      if (slot.item !== items[index] || slot.index !== index || this.stale) this.put(slot, items[index], index);
      const selected = index === this.selected;
      if (slot.selected !== selected) this.mark(slot, selected);
    }
    for (const slot of this.slots) {
      if (used.has(slot) || slot.index === -1) continue;
      slot.row.hidden = true;
      Object.assign(slot, { index: -1, item: undefined });
    }
    this.stale = false;
    if (this.selected >= 0) element.setAttribute("aria-activedescendant", `${element.id}-${this.selected}`);
    if (last >= items.length - 20) this.near?.();
  }

  /** Only the row that the focus is on needs a name. */
  mark(slot, selected) {
    slot.selected = selected;
    slot.row.ariaSelected = String(selected);
    if (selected) slot.row.id = `${this.element.id}-${this.selected}`;
    else slot.row.removeAttribute("id");
  }

  grow(slots) {
    while (this.slots.length < slots) {
      const cells = Object.fromEntries(this.cells.map((name) => [name, h("span", { class: name }, "")]));
      const row = h("div", { class: "row", role: "option", hidden: true }, ...Object.values(cells));
      row.style.height = `${this.height}px`;
      this.slots.push({ row, cells, index: -1, item: undefined });
      this.space.append(row);
    }
    for (const slot of this.slots) Object.assign(slot, { index: -1, item: undefined });
    this.stale = true;
  }

  put(slot, item, index) {
    const { row, cells } = slot;
    Object.assign(slot, { item, index, selected: undefined });
    if (row.hidden) row.hidden = false;
    row.style.transform = `translateY(${index * this.height}px)`;
    row.ariaPosInSet = String(index + 1);
    if (this.stale) row.ariaSetSize = String(this.items.length);
    const { kind, ...texts } = this.fill(item, index, cells);
    if (slot.kind !== kind) {
      slot.kind = kind;
      row.className = `row ${kind}`;
    }
    for (const name in texts) {
      const text = clean(texts[name]);
      if (cells[name].textContent !== text) cells[name].textContent = text;
    }
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
    if (event.ctrlKey || event.metaKey || event.altKey) return;
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
    else this.select(Math.max(0, Math.min(to, this.items.length - 1)), this.opens);
    event.preventDefault();
  }
}
