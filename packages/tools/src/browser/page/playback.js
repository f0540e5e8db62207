import { add, clock, isShown } from "./activity.js";

const byId = (id) => document.getElementById(id);
const [screen, play, at, status, activity, marks] = ["screen", "play", "at", "status", "activity", "marks"].map(byId);
const paint = screen.getContext("2d");
const headers = { authorization: `Bearer ${location.hash.slice(1)}` };
const from = location.pathname.replace(/\/$/, "");
const SPEEDS = [1, 2, 4, 0.5];

let frames = [];
let events = [];
let lengthMs = 0;
let nowMs = 0;
let speed = 1;
let playing;
let shown = -1;

const answer = await fetch(`${from}/log`, { headers });
if (answer.ok)
  begin(
    (await answer.text())
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text)),
  );
else status.textContent = answer.status === 401 ? "No access: ask for another link" : "There is no such recording";

function begin(entries) {
  frames = entries.filter((entry) => entry.frame !== undefined);
  events = entries.filter((entry) => entry.event !== undefined && isShown(entry.event));
  lengthMs = Math.max(1, entries.at(-1)?.atMs ?? 1);
  at.max = String(lengthMs);
  activity.replaceChildren();
  for (const entry of events) {
    entry.item = add(activity, entry.event, entry.atMs);
    entry.item.addEventListener("click", () => seek(entry.atMs));
  }
  for (const { event, atMs } of events) {
    if (event.kind !== "action") continue;
    const mark = document.createElement("i");
    mark.dataset.by = event.by;
    mark.style.left = `${(atMs / lengthMs) * 100}%`;
    marks.append(mark);
  }
  play.disabled = false;
  status.textContent = `${frames.length} pictures, ${clock(lengthMs)}`;
  seek(Math.min(lengthMs, frames[0]?.atMs ?? 0));
}

function seek(ms) {
  nowMs = Math.min(lengthMs, Math.max(0, ms));
  at.value = String(nowMs);
  byId("time").textContent = `${clock(nowMs)} / ${clock(lengthMs)}`;
  const last = (list) => list.findLastIndex((entry) => entry.atMs <= nowMs);
  const current = last(events);
  activity.querySelector("[aria-current]")?.removeAttribute("aria-current");
  events[current]?.item.setAttribute("aria-current", "true");
  events[current]?.item.scrollIntoView({ block: "nearest" });
  const holder = events.slice(0, current + 1).findLast(({ event }) => event.kind === "control")?.event.holder;
  document.body.dataset.holder = holder === undefined ? "agent" : "person";
  const address = events.slice(0, current + 1).findLast(({ event }) => event.kind === "navigation");
  byId("address").textContent = address?.event.url ?? "";
  void show(last(frames));
}

async function show(index) {
  if (index < 0 || index === shown) return;
  shown = index;
  const { offset, length } = frames[index].frame;
  const part = await fetch(`${from}/frames?offset=${offset}&length=${length}`, { headers });
  if (!part.ok || shown !== index) return;
  const picture = await createImageBitmap(await part.blob());
  screen.width = picture.width;
  screen.height = picture.height;
  paint.drawImage(picture, 0, 0);
  picture.close();
  screen.dataset.frame = String(index);
}

function stop() {
  cancelAnimationFrame(playing);
  playing = undefined;
  play.textContent = "Play";
}

function start() {
  if (nowMs >= lengthMs) nowMs = 0;
  let before = performance.now();
  play.textContent = "Pause";
  const tick = (time) => {
    seek(nowMs + (time - before) * speed);
    before = time;
    if (nowMs >= lengthMs) stop();
    else playing = requestAnimationFrame(tick);
  };
  playing = requestAnimationFrame(tick);
}

play.addEventListener("click", () => (playing === undefined ? start() : stop()));
at.addEventListener("input", () => seek(Number(at.value)));
byId("speed").addEventListener("click", ({ currentTarget }) => {
  speed = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length];
  currentTarget.textContent = `${speed}×`;
});
