import { add, isShown } from "./activity.js";

const byId = (id) => document.getElementById(id);
const [screen, take, status, activity, dialog, note] = ["screen", "take", "status", "activity", "dialog", "note"].map(
  byId,
);
const paint = screen.getContext("2d");
const token = location.hash.slice(1);
const started = Date.now();
const KEPT = 300;
const RENEW_MS = 8_000;

let state = { pages: [], viewport: { width: screen.width, height: screen.height } };
let drawing = Promise.resolve();

const socket = new WebSocket(location.href.replace(/^http/, "ws").replace(/#.*$/, ""), ["ashlar.live", token]);
socket.binaryType = "blob";
const say = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
const mine = () => state.holder !== undefined && state.holder === state.you;

socket.addEventListener("message", ({ data }) => {
  if (typeof data !== "string") {
    drawing = drawing.then(() => draw(data));
    return;
  }
  const message = JSON.parse(data);
  if (message.type === "state") show(message);
  else if (message.type === "event") log(message.event);
  else if (message.type === "problem") tell(message.text);
});
socket.addEventListener("close", ({ reason }) => {
  document.body.dataset.over = "";
  delete document.body.dataset.mine;
  status.textContent = reason || "No access: ask for another link";
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  if (dialog.open) dialog.close();
});

async function draw(blob) {
  try {
    const picture = await createImageBitmap(blob);
    if (screen.width !== picture.width || screen.height !== picture.height) {
      screen.width = picture.width;
      screen.height = picture.height;
    }
    paint.drawImage(picture, 0, 0);
    picture.close();
    screen.dataset.frames = String(Number(screen.dataset.frames ?? 0) + 1);
  } finally {
    say({ type: "drawn" });
  }
}

function show(next) {
  state = next;
  const front = state.pages.find((page) => page.front);
  byId("address").textContent = front?.url ?? "";
  document.title = front?.title ? `${front.title} · Live view` : "Live view";
  byId("tabs").replaceChildren(...(state.pages.length > 1 ? state.pages.map(tab) : []));
  document.body.dataset.holder = state.holder === undefined ? "agent" : "person";
  document.body.toggleAttribute("data-mine", mine());
  status.textContent =
    state.holder === undefined
      ? "The agent is in control"
      : mine()
        ? "You are in control"
        : `${state.holder} is in control`;
  take.textContent = mine() ? "Give back" : "Take over";
  take.disabled = !state.mayControl || (state.holder !== undefined && !mine());
  for (const button of document.querySelectorAll("[data-go]")) button.disabled = !mine();
  ask(state.dialog);
}

function tab({ id, title, url, front }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = title || url;
  if (front) button.setAttribute("aria-current", "page");
  button.disabled = !mine();
  button.addEventListener("click", () => say({ type: "page", id }));
  return button;
}

function ask(question) {
  if (question === undefined) {
    if (dialog.open) dialog.close();
    return;
  }
  byId("question").textContent = question.text || question.type;
  byId("reply").hidden = question.type !== "prompt";
  byId("dismiss").hidden = question.type === "alert";
  byId("accept").disabled = byId("dismiss").disabled = !mine();
  if (!dialog.open) dialog.show();
}

function log(event) {
  if (!isShown(event)) return;
  add(activity, event, Date.now() - started);
  while (activity.childElementCount > KEPT) activity.firstElementChild.remove();
  activity.scrollTop = activity.scrollHeight;
}

let noteTimer;
function tell(text) {
  note.textContent = text;
  note.hidden = false;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => {
    note.hidden = true;
  }, 3_000);
}

take.addEventListener("click", () => {
  say({ type: mine() ? "give_back" : "take" });
  keys.focus();
});
setInterval(() => mine() && document.visibilityState === "visible" && say({ type: "take" }), RENEW_MS);
for (const button of document.querySelectorAll("[data-go]")) {
  button.addEventListener("click", () => say({ type: "go", direction: button.dataset.go }));
}
byId("accept").addEventListener("click", () => {
  const reply = byId("reply");
  say({ type: "dialog", accept: true, ...(reply.hidden ? {} : { text: reply.value }) });
});
byId("dismiss").addEventListener("click", () => say({ type: "dialog", accept: false }));

const BUTTONS = ["left", "middle", "right"];
const modifiers = (event) =>
  (event.altKey ? 1 : 0) | (event.ctrlKey ? 2 : 0) | (event.metaKey ? 4 : 0) | (event.shiftKey ? 8 : 0);

function mouse(kind, event, more = {}) {
  if (!mine()) return;
  const box = screen.getBoundingClientRect();
  const { width, height } = state.viewport;
  const x = ((event.clientX - box.left) / box.width) * width;
  const y = ((event.clientY - box.top) / box.height) * height;
  say({ type: "mouse", event: kind, x, y, modifiers: modifiers(event), ...more });
}

screen.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  keys.focus({ preventScroll: true });
  screen.setPointerCapture(event.pointerId);
  mouse("down", event, { button: BUTTONS[event.button] ?? "left", clickCount: clicks(event) });
});
screen.addEventListener("pointerup", (event) =>
  mouse("up", event, { button: BUTTONS[event.button] ?? "left", clickCount: 1 }),
);
let moved;
screen.addEventListener("pointermove", (event) => {
  if (moved !== undefined) return;
  moved = requestAnimationFrame(() => {
    moved = undefined;
    mouse("move", event, { button: event.buttons & 1 ? "left" : "none" });
  });
});
screen.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    mouse("wheel", event, { deltaX: event.deltaX, deltaY: event.deltaY });
  },
  { passive: false },
);
screen.addEventListener("contextmenu", (event) => event.preventDefault());

let lastClick = { at: 0, count: 0 };
function clicks({ timeStamp }) {
  lastClick = { at: timeStamp, count: timeStamp - lastClick.at < 400 ? (lastClick.count % 3) + 1 : 1 };
  return lastClick.count;
}

for (const kind of ["down", "up"]) {
  keys.addEventListener(`key${kind}`, (event) => {
    if (!mine() || event.isComposing) return;
    // What an input method makes, and what is pasted, comes as text of its own.
    if ([...event.key].length === 1 && event.key.charCodeAt(0) > 126) return;
    if (["Process", "Dead", "Unidentified", "AltGraph"].includes(event.key)) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "v") return;
    event.preventDefault();
    say({ type: "key", event: kind, key: event.key, modifiers: modifiers(event) });
  });
}
keys.addEventListener("input", (event) => {
  if (event.isComposing) return;
  if (mine() && keys.value !== "") say({ type: "text", text: keys.value });
  keys.value = "";
});
keys.addEventListener("compositionend", () => {
  if (mine() && keys.value !== "") say({ type: "text", text: keys.value });
  keys.value = "";
});
