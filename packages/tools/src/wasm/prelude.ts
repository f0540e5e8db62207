/**
 * What a program finds in its global scope beside the language itself. Runs inside QuickJS with one argument, the
 * host's calls; it keeps its own references, so that a program that overwrites `JSON` or `String` spoils only its own
 * output.
 */
export const PRELUDE: string = String.raw`(function (host) {
  "use strict";
  const { stringify } = JSON;
  const { isArray } = Array;
  const text = String;

  function inspect(value, depth, seen) {
    if (typeof value === "string") return depth === 0 ? value : stringify(value);
    if (typeof value === "bigint") return text(value) + "n";
    if (typeof value === "function") return "[Function" + (value.name ? ": " + value.name : "") + "]";
    if (typeof value !== "object" || value === null) return text(value);
    if (value instanceof Error) return value.name + ": " + value.message + (value.stack ? "\n" + value.stack : "");
    if (seen.includes(value)) return "[Circular]";
    if (depth > 4) return isArray(value) ? "[Array]" : "[Object]";
    const inner = seen.concat([value]);
    const shown = (items, each) =>
      items.slice(0, 100).map(each).concat(items.length > 100 ? ["… " + (items.length - 100) + " more"] : []);
    if (isArray(value) || ArrayBuffer.isView(value)) {
      return "[" + shown(Array.from(value), (item) => inspect(item, depth + 1, inner)).join(", ") + "]";
    }
    if (value instanceof Map) {
      const pair = ([key, item]) => inspect(key, depth + 1, inner) + " => " + inspect(item, depth + 1, inner);
      return "Map(" + value.size + ") {" + shown([...value], pair).join(", ") + "}";
    }
    if (value instanceof Set) {
      return "Set(" + value.size + ") {" + shown([...value], (item) => inspect(item, depth + 1, inner)).join(", ") + "}";
    }
    if (value instanceof Date || value instanceof RegExp) return text(value);
    const pairs = shown(Object.keys(value), (key) => key + ": " + inspect(value[key], depth + 1, inner));
    return pairs.length === 0 ? "{}" : "{ " + pairs.join(", ") + " }";
  }

  const print = (stream) => (...values) =>
    host.write(stream, values.map((value) => inspect(value, 0, [])).join(" ") + "\n");
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  define("console", {
    log: print("stdout"), info: print("stdout"), debug: print("stdout"),
    warn: print("stderr"), error: print("stderr"),
  });

  const encoded = (data) => {
    if (typeof data === "string") return host.encode(data);
    if (ArrayBuffer.isView(data)) return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    if (data instanceof ArrayBuffer) return data;
    throw new TypeError("data must be a string or bytes");
  };
  const encoding = (options) => (typeof options === "string" ? options : options && options.encoding);
  const fs = {
    readFileSync(path, options) {
      const bytes = host.readFile(text(path));
      return encoding(options) ? host.decode(bytes) : new Uint8Array(bytes);
    },
    writeFileSync: (path, data) => host.writeFile(text(path), encoded(data)),
    appendFileSync(path, data) {
      const head = host.exists(text(path)) ? new Uint8Array(host.readFile(text(path))) : new Uint8Array(0);
      const tail = new Uint8Array(encoded(data));
      const whole = new Uint8Array(head.length + tail.length);
      whole.set(head);
      whole.set(tail, head.length);
      host.writeFile(text(path), whole.buffer);
    },
    existsSync: (path) => host.exists(text(path)),
    readdirSync: (path) => JSON.parse(host.readDirectory(text(path))),
    mkdirSync: (path) => host.makeDirectory(text(path)),
    rmSync: (path) => host.remove(text(path)),
    unlinkSync: (path) => host.remove(text(path)),
    renameSync: (from, to) => host.move(text(from), text(to)),
  };
  define("fs", fs);
  define("process", { env: JSON.parse(host.environment()) });
  define("require", (name) => {
    if (name === "fs" || name === "node:fs") return fs;
    throw new Error("Cannot find module '" + name + "': this sandbox has no modules but 'fs'");
  });

  let last = 0;
  const timers = new Map();
  const arm = (callback, ms, args, every) => {
    timers.set(++last, { callback, args, due: host.now() + Math.max(every ? 1 : 0, Number(ms) || 0), every });
    return last;
  };
  define("setTimeout", (callback, ms, ...args) => arm(callback, ms, args));
  define("setInterval", (callback, ms, ...args) => arm(callback, ms, args, Math.max(1, Number(ms) || 0)));
  define("clearTimeout", (id) => void timers.delete(id));
  define("clearInterval", (id) => void timers.delete(id));
  define("queueMicrotask", (callback) => void Promise.resolve().then(callback));

  return {
    /** The milliseconds until the next timer, or -1. */
    wait() {
      let soonest = -1;
      for (const { due } of timers.values()) {
        const left = Math.max(0, due - host.now());
        if (soonest < 0 || left < soonest) soonest = left;
      }
      return soonest;
    },
    fire() {
      const now = host.now();
      for (const [id, timer] of [...timers].sort(([, a], [, b]) => a.due - b.due)) {
        if (timer.due > now || !timers.has(id)) continue;
        if (timer.every) timer.due = now + timer.every;
        else timers.delete(id);
        timer.callback(...timer.args);
      }
    },
    forget: () => timers.clear(),
    show: (value) => inspect(value, 1, []),
    json(value) {
      if (typeof value !== "object" || value === null) return undefined;
      try {
        return stringify(value);
      } catch {
        return undefined;
      }
    },
  };
})`;
