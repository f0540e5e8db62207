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

/** What turns text around or hides in it is made visible. */
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

export function duration(ms) {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)} min ${Math.floor((ms % 60000) / 1000)} s`;
  return `${Math.floor(ms / 3600000)} h ${Math.floor((ms % 3600000) / 60000)} min`;
}

const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
export const time = (at) => moments.format(at);

const short = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});
export const shortTime = (at) => short.format(at);

const numbers = new Intl.NumberFormat();
export const count = (value) => numbers.format(value);

export const money = ({ micros, currency }) =>
  `${(micros / 1e6).toFixed(micros < 10000 ? 6 : micros < 1e6 ? 4 : 2)} ${currency}`.trim();

/** A list of names and values; what has no value is left out. */
export const pairs = (values) =>
  h(
    "dl",
    {},
    ...Object.entries(values)
      .filter(([, value]) => value !== undefined && value !== "")
      .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );

export const json = (value, most = 200000) => {
  const text = JSON.stringify(value ?? null, null, 2);
  return h(
    "pre",
    { tabindex: "0" },
    text.length > most ? `${text.slice(0, most)}\n… ${text.length - most} more characters` : text,
  );
};

/** Runs `work` in the next frame, once however often it is asked for. */
export function perFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
