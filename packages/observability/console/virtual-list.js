import { clean, h, perFrame } from "./base.js";

const OVERSCAN = 4;
const REST_MS = 100;
/** Pixels of a narrow letter: what a line can hold is cut by it, since every letter of a text is measured. */
const NARROWEST = 4;

/**
 * Shows only the rows in sight, in elements that are used again: `cells` names their parts, `fill` gives their texts.
 * Moved and opened by keyboard.
 */
export class VirtualList {
  constructor(element, { height, cells, fill, choose, near, opens = false }) {
    Object.assign(this, {
      element,
      height,
      cells,
      fill,
      choose,
      near,
      opens,
      items: [],
      selected: -1,
      slots: [],
      top: 0,
    });
    this.space = h("div", { role: "presentation" });
    this.soon = perFrame(() => this.draw());
    element.replaceChildren(this.space);
    element.addEventListener("scroll", this.soon, { passive: true });
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("click", ({ target }) => {
      const row = target.closest("[role=option]");
      if (row !== null) this.select(Number(row.ariaPosInSet) - 1, true);
    });
    element.addEventListener("focus", () => {
      if (this.selected < 0 && element.matches(":focus-visible")) this.select(0, false);
    });
    new ResizeObserver(this.soon).observe(element);
  }

  set(items) {
    const atEnd = this.atEnd();
    this.items = items;
    this.stale = true;
    // At once: whoever selects the last row next can scroll to it.
    this.space.style.height = `${items.length * this.height}px`;
    this.soon();
    return atEnd;
  }

  atEnd() {
    const { scrollTop, clientHeight } = this.element;
    return scrollTop + clientHeight >= this.items.length * this.height - this.height;
  }

  draw() {
    const { element, height, items } = this;
    const { clientHeight, clientWidth, scrollTop } = element;
    if (clientHeight === 0) return;
    const leap = Math.abs(scrollTop - this.top) > clientHeight;
    Object.assign(this, { top: scrollTop, most: Math.ceil(clientWidth / NARROWEST) });
    // A leap draws what is in sight; a step, or a rest, also what comes next, so that nothing is missing while it moves.
    const spare = leap ? 0 : OVERSCAN;
    clearTimeout(this.resting);
    if (leap) this.resting = setTimeout(this.soon, REST_MS);
    const first = Math.max(0, Math.floor(scrollTop / height) - spare);
    const last = Math.min(items.length, Math.ceil((scrollTop + clientHeight) / height) + spare);
    const [held, shown, hidden] = [new Map(), [], []];
    for (const slot of this.slots) {
      if (slot.index >= first && slot.index < last) held.set(slot.index, slot);
      else (slot.index === -1 ? hidden : shown).push(slot);
    }
    for (let index = first; index < last; index++) {
      const slot = held.get(index) ?? shown.pop() ?? hidden.pop() ?? this.grow();
      if (slot.item !== items[index] || slot.index !== index || this.stale) this.put(slot, items[index], index);
      const selected = index === this.selected;
      if (slot.selected !== selected) this.mark(slot, selected);
    }
    for (const slot of shown) {
      slot.row.hidden = true;
      Object.assign(slot, { index: -1, item: undefined });
    }
    this.stale = false;
    const active = this.selected < 0 ? null : `${element.id}-${this.selected}`;
    if (active === null) element.removeAttribute("aria-activedescendant");
    else if (element.getAttribute("aria-activedescendant") !== active)
      element.setAttribute("aria-activedescendant", active);
    if (last >= items.length - 20) this.near?.();
  }

  /** Only the row that the focus is on needs a name. */
  mark(slot, selected) {
    slot.selected = selected;
    slot.row.ariaSelected = String(selected);
    if (selected) slot.row.id = `${this.element.id}-${this.selected}`;
    else slot.row.removeAttribute("id");
  }

  grow() {
    const cells = Object.fromEntries(this.cells.map((name) => [name, h("span", { class: name }, "")]));
    const row = h("div", { class: "row", role: "option" }, ...Object.values(cells));
    row.style.height = `${this.height}px`;
    row.ariaSetSize = String(this.items.length);
    const slot = { row, cells, index: -1, item: undefined };
    this.slots.push(slot);
    this.space.append(row);
    return slot;
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
      const text = clean(String(texts[name] ?? "").slice(0, this.most));
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
