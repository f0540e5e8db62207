/** A line of the activity list. Whatever came from a page is set as text, never as markup. */
function describe(event) {
  switch (event.kind) {
    case "action":
      return { by: event.by, text: [event.name.replaceAll("_", " "), event.detail].filter(Boolean).join(" ") };
    case "navigation":
      return { text: event.url };
    case "console":
      return { text: `${event.level}: ${event.text}`, bad: event.level === "error" || event.level === "exception" };
    case "network":
      return {
        text: `${event.method} ${event.url} ${event.status ?? event.failure}`,
        bad: event.status === undefined || event.status >= 400,
      };
    case "dialog":
      return { text: event.answer === undefined ? `${event.type}: ${event.text}` : `${event.type} ${event.answer}` };
    case "download":
      return { text: `${event.file} ${event.state}${event.reason === undefined ? "" : ` (${event.reason})`}` };
    case "page":
      return { text: `page ${event.change}`, bad: event.change === "crashed" };
    case "control":
      return event.holder === undefined
        ? { by: "person", text: "gave the control back" }
        : { by: "person", text: `${event.holder} took over` };
    default:
      return { text: event.reason ?? event.kind };
  }
}

/** Whether it is worth a line: what an agent only looks at is not, and every request is too much. */
export const isShown = ({ kind, name }) => kind !== "network" && !(kind === "action" && name === "snapshot");

const isTyping = ({ kind, by, name }) => kind === "action" && by === "person" && (name === "key" || name === "text");

/** Adds a line; keys that follow each other are one thing that a person did. Returns the line. */
export function add(list, event, atMs) {
  const last = list.lastElementChild;
  if (isTyping(event) && last?.dataset.typing !== undefined) return last;
  const { by, text, bad } = isTyping(event) ? { by: "person", text: "typed" } : describe(event);
  const item = document.createElement("li");
  item.dataset.kind = event.kind;
  if (by !== undefined) item.dataset.by = by;
  if (bad) item.dataset.bad = "";
  if (isTyping(event)) item.dataset.typing = "";
  const time = document.createElement("time");
  time.textContent = clock(atMs);
  const words = document.createElement("span");
  words.textContent = text;
  item.append(time, words);
  list.append(item);
  return item;
}

export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
