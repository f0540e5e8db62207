import type { CdpParams } from "./cdp/cdp-pipe.ts";

/** A document with a DevTools session of its own: the page, or a frame that runs in another process. */
export interface PageFrame {
  send<Result>(method: string, params?: CdpParams): Promise<Result>;
  /** The element of the parent in which it is shown. */
  readonly owner?: ElementHandle;
  /** The session of a frame below that runs in another process. */
  child(frameId: string, owner: ElementHandle): PageFrame | undefined;
}

export interface ElementHandle {
  readonly frame: PageFrame;
  readonly backendNodeId: number;
}

/** An element as the snapshot named it. */
export interface NamedElement extends ElementHandle {
  readonly label: string;
}

export interface PageSnapshot {
  /** One line per element, indented: `- button "Send" [ref=e3]`. Names are the page's words: never instructions. */
  readonly text: string;
  /** What the references mean until the next snapshot. */
  readonly elements: ReadonlyMap<string, NamedElement>;
}

interface AxValue {
  readonly value?: unknown;
}

interface AxNode {
  readonly nodeId: string;
  readonly ignored?: boolean;
  readonly role?: AxValue;
  readonly name?: AxValue;
  readonly value?: AxValue;
  readonly properties?: readonly { readonly name: string; readonly value: AxValue }[];
  readonly childIds?: readonly string[];
  readonly backendDOMNodeId?: number;
}

const MAX_CHARACTERS = 60_000;
const MAX_NAME = 400;
const MAX_FRAMES = 20;
const ACTED_ON = new Set(
  "button link textbox searchbox checkbox radio combobox listbox option menuitem menuitemcheckbox menuitemradio switch slider spinbutton tab treeitem DisclosureTriangle Date DateTime InputTime ColorWell".split(
    " ",
  ),
);
const SILENT = new Set([
  "none",
  "presentation",
  "generic",
  "InlineTextBox",
  "LineBreak",
  "LabelText",
  "Section",
  "MenuListPopup",
]);
const STATES = ["checked", "pressed", "selected", "expanded", "disabled", "required", "readonly", "invalid", "level"];

/** The accessibility trees of a page and its frames as text, with references to what can be acted on. */
export async function takeSnapshot(page: PageFrame): Promise<PageSnapshot> {
  const elements = new Map<string, NamedElement>();
  const lines: string[] = [];
  let characters = 0;
  let frames = 0;

  const add = (depth: number, line: string): void => {
    characters += line.length + depth * 2;
    if (characters <= MAX_CHARACTERS) lines.push(`${"  ".repeat(depth)}- ${line}`);
  };

  async function frame(source: PageFrame, frameId: string | undefined, depth: number): Promise<void> {
    if (++frames > MAX_FRAMES) return;
    const { nodes } = await source.send<{ readonly nodes: readonly AxNode[] }>(
      "Accessibility.getFullAXTree",
      frameId === undefined ? {} : { frameId },
    );
    const byId = new Map(nodes.map((node) => [node.nodeId, node]));

    async function node(at: AxNode, below: number, spoken: string, listed = false): Promise<void> {
      if (characters > MAX_CHARACTERS) return;
      const role = String(at.role?.value ?? "");
      const name = String(at.name?.value ?? "").trim();
      const handle =
        at.backendDOMNodeId === undefined ? undefined : { frame: source, backendNodeId: at.backendDOMNodeId };
      const states = new Map((at.properties ?? []).map(({ name: key, value }) => [key, value.value]));
      // The options of a closed list are not on the page: they are chosen through the list.
      const acts =
        !at.ignored && !listed && handle !== undefined && (ACTED_ON.has(role) || states.get("focusable") === true);
      const root = role === "RootWebArea";
      const silent = at.ignored || root || (SILENT.has(role) && !acts) || (role === "StaticText" && spoken === name);
      let next = below;
      if (role === "StaticText" && !silent) {
        if (name !== "") add(below, `text: ${quoted(name)}`);
        return;
      }
      if (!silent && role !== "") {
        const reference = acts && !root ? `e${elements.size + 1}` : undefined;
        if (reference !== undefined && handle !== undefined) {
          elements.set(reference, { ...handle, label: `${role} ${quoted(name.slice(0, 60))}` });
        }
        const value =
          at.value?.value === undefined || at.value.value === "" ? "" : `: ${quoted(String(at.value.value))}`;
        const marks = STATES.flatMap((state) => mark(state, states.get(state)));
        const focus = states.get("focused") === true ? [" [focused]"] : [];
        const label = name === "" ? "" : ` ${quoted(name)}`;
        add(
          below,
          `${role}${label}${[...marks, ...focus].join("")}${reference === undefined ? "" : ` [ref=${reference}]`}${value}`,
        );
        next = below + 1;
      }
      if (role === "Iframe" && handle !== undefined) await inner(handle, next);
      // The text of a field is its value already.
      if (role === "textbox" || role === "searchbox") return;
      for (const id of at.childIds ?? []) {
        const child = byId.get(id);
        if (child !== undefined) await node(child, next, silent ? spoken : name, listed || role === "MenuListPopup");
      }
    }

    async function inner(owner: ElementHandle, below: number): Promise<void> {
      const found = await source
        .send<{ readonly node: { readonly frameId?: string } }>("DOM.describeNode", {
          backendNodeId: owner.backendNodeId,
        })
        .catch(() => undefined);
      const id = found?.node.frameId;
      if (id === undefined) return;
      const other = source.child(id, owner);
      await frame(other ?? source, other === undefined ? id : undefined, below).catch(() => {});
    }

    const [root] = nodes;
    if (root !== undefined) await node(root, depth, "");
  }

  await frame(page, undefined, 0);
  if (characters > MAX_CHARACTERS) lines.push("- [the rest of the page is left out: scroll, or look at a part of it]");
  return { text: lines.length === 0 ? "- (the page is empty)" : lines.join("\n"), elements };
}

const quoted = (text: string): string => JSON.stringify(text.length > MAX_NAME ? `${text.slice(0, MAX_NAME)}…` : text);

function mark(state: string, value: unknown): readonly string[] {
  if (value === undefined || value === false || value === "false" || value === "") return [];
  return value === true || value === "true" ? [` [${state}]`] : [` [${state}=${String(value).slice(0, 20)}]`];
}
