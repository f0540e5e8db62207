// The JavaScript and TypeScript kernel. argv: descriptor of the private socket, language.
// V8's own REPL mode evaluates: top-level await, and variables that may be declared again.

import { Session } from "node:inspector";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { Socket } from "node:net";
import { inspect } from "node:util";
import vm from "node:vm";

const [fd, language] = [Number(process.argv[1]), process.argv[2]];
const TEXT_MAX = 1024 * 1024;
const FORM_MAX = 8 * 1024 * 1024;
const { stringify, parse } = JSON;
const socket = new Socket({ fd, readable: true, writable: true });
const session = new Session();
session.connect();

const send = (kind, value) => {
  const body = Buffer.from(kind + stringify(value));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  socket.write(Buffer.concat([head, body]));
};

let left = 0;
let cut = false;
let stop;

const clip = (text) => {
  if (text.length <= TEXT_MAX) return text;
  cut = true;
  return text.slice(0, TEXT_MAX);
};

const forms = (value) => {
  const data = {};
  const add = (media, form) => {
    if (form === undefined || form === null) return;
    const text =
      form instanceof Uint8Array
        ? Buffer.from(form).toString("base64")
        : typeof form === "string"
          ? form
          : stringify(form);
    if (text === undefined) return;
    if (text.length > FORM_MAX) cut = true;
    else data[media] = text;
  };
  try {
    const own = value?.[Symbol.for("ashlar.mimeBundle")]?.();
    if (own !== undefined) for (const [media, form] of Object.entries(own)) add(media, form);
  } catch {}
  if (
    typeof value === "object" &&
    value !== null &&
    (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)
  ) {
    try {
      add("application/json", stringify(value));
    } catch {}
  }
  if (data["text/plain"] === undefined) {
    try {
      data["text/plain"] = clip(
        typeof value === "string" ? value : inspect(value, { depth: 4, maxStringLength: 100_000 }),
      );
    } catch {
      data["text/plain"] = "<a value that cannot be shown>";
    }
  }
  return data;
};

const show = (value, kind) => {
  if (left <= 0) cut = true;
  else {
    left -= 1;
    send("D", { kind, data: forms(value) });
  }
};

const keep = Symbol("keep");
Object.defineProperty(globalThis, "require", {
  value: createRequire(`${process.cwd()}/`),
  configurable: true,
  writable: true,
});
Object.defineProperty(globalThis, "display", {
  value: (...values) => {
    for (const value of values) show(value, "display");
  },
  configurable: true,
  writable: true,
});

const describe = (error) => {
  const real =
    error instanceof Error || (typeof error === "object" && error !== null && typeof error.stack === "string");
  try {
    const name = real ? String(error.name) : "Thrown";
    const message = real ? String(error.message) : inspect(error);
    return { name: name.slice(0, 200), message: clip(message), traceback: clip(real ? String(error.stack) : message) };
  } catch {
    return { name: "Error", message: "The error could not be shown.", traceback: "" };
  }
};

/** Static imports at the top of a cell, which a script cannot hold, as dynamic ones. */
const withoutImports = (code) =>
  code.replace(
    /^[ \t]*import\s+(?:type\s[^;\n]*|(?:([\w$]+)\s*,?\s*)?(?:\*\s*as\s+([\w$]+)\s*|\{([^}]*)\}\s*)?from\s*(["'][^"'\n]+["'])|(["'][^"'\n]+["']))[ \t]*;?/gm,
    (_whole, standard, all, names, from, bare) => {
      if (bare !== undefined) return `await import(${bare});`;
      if (from === undefined) return "";
      const parts = [];
      if (all !== undefined) parts.push(`var ${all} = await import(${from});`);
      const listed = (names ?? "")
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && !name.startsWith("type "));
      const wanted = [
        ...(standard === undefined ? [] : [`default: ${standard}`]),
        ...listed.map((name) => name.replace(/\s+as\s+/, ": ")),
      ];
      if (wanted.length > 0) parts.push(`var { ${wanted.join(", ")} } = await import(${from});`);
      return parts.join(" ");
    },
  );

const kept = Symbol.for("ashlar.kept");

const evaluate = (expression) =>
  new Promise((resolve, reject) => {
    stop = () => reject(Object.assign(new Error("interrupted"), { interrupted: true }));
    const done = (failure, answer) => {
      if (failure)
        return reject(Object.assign(new Error(failure.message), { interrupted: /terminated/i.test(failure.message) }));
      const { result, exceptionDetails } = answer;
      const finish = (value) =>
        exceptionDetails === undefined ? resolve(value) : reject({ thrown: value, details: exceptionDetails });
      const held = exceptionDetails?.exception ?? result;
      if (held === undefined)
        return reject({
          interrupted: /terminated/i.test(exceptionDetails?.text ?? ""),
          thrown: new Error(exceptionDetails?.text),
        });
      if (held.objectId === undefined)
        return finish(
          held.unserializableValue === undefined ? held.value : vm.runInThisContext(`(${held.unserializableValue})`),
        );
      session.post(
        "Runtime.callFunctionOn",
        {
          objectId: held.objectId,
          functionDeclaration: "function () { globalThis[Symbol.for('ashlar.kept')] = this; }",
        },
        () => {
          const value = globalThis[kept];
          delete globalThis[kept];
          session.post("Runtime.releaseObject", { objectId: held.objectId }, () => {});
          finish(held.type === "symbol" ? held.description : value);
        },
      );
    };
    globalThis[keep] = () =>
      session.post("Runtime.evaluate", { expression, replMode: true, awaitPromise: true, userGesture: false }, done);
    try {
      guarded();
    } catch (error) {
      reject(
        error?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED"
          ? Object.assign(error, { interrupted: true })
          : { thrown: error },
      );
    }
  });

Object.defineProperty(globalThis, Symbol.for("ashlar.import"), {
  value: (specifier, options) => import(specifier, options),
});

// A signal is seen by V8 only while a script runs that asked for it: the evaluation is started from such a one.
Object.defineProperty(globalThis, Symbol.for("ashlar.go"), { value: () => globalThis[keep]() });
const trigger = new vm.Script("globalThis[Symbol.for('ashlar.go')]()");
const guarded = () => trigger.runInThisContext({ breakOnSigint: true });

process.on("SIGINT", () => stop?.());
process.on("unhandledRejection", (error) => process.stderr.write(`${describe(error).traceback}\n`));
process.on("uncaughtException", (error) => {
  process.stderr.write(`${describe(error).traceback}\n`);
});

const execute = async (source) => {
  left = 256;
  cut = false;
  let outcome = { status: "ok" };
  try {
    const typed = language === "typescript" ? stripTypeScriptTypes(source, { mode: "transform" }) : source;
    // V8's REPL mode has no module loader of its own: the kernel's serves.
    const value = await evaluate(
      withoutImports(typed).replace(/\bawait\s+import\s*\(/g, "await globalThis[Symbol.for('ashlar.import')]("),
    );
    if (value !== undefined) show(value, "value");
  } catch (failure) {
    if (failure?.interrupted) outcome = { status: "interrupted" };
    else {
      const thrown = failure !== null && typeof failure === "object" && "thrown" in failure ? failure.thrown : failure;
      outcome = { status: "error", error: describe(thrown) };
    }
  }
  stop = undefined;
  if (cut) outcome.cut = true;
  send("Z", outcome);
};

let buffer = Buffer.alloc(0);
let queue = Promise.resolve();
socket.on("data", (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  while (buffer.length >= 4) {
    const length = buffer.readUInt32BE();
    if (buffer.length < 4 + length) break;
    const { code } = parse(buffer.subarray(5, 4 + length).toString("utf8"));
    buffer = buffer.subarray(4 + length);
    queue = queue.then(() => execute(code));
  }
});
socket.on("end", () => process.exit(0));
