import releaseSync from "@jitl/quickjs-wasmfile-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSSyncVariant,
  type QuickJSWASMModule,
} from "quickjs-emscripten-core";
import { cappedMemory } from "./capped-memory.ts";
import { PRELUDE } from "./prelude.ts";

export interface EngineHost {
  /** What the program finds as `process.env`. */
  readonly environment: Readonly<Record<string, string>>;
  write(stream: "stdout" | "stderr", text: string): void;
  /** One call on the sandbox's files; throws what the program shall see as an error. */
  files(
    operation: FileOperation,
    path: string,
    argument?: Uint8Array | string,
  ): Uint8Array | string | boolean | undefined;
  /** True when the running program has to end now. */
  interrupted(): boolean;
  /** Blocks for so long, or until interrupted. */
  wait(ms: number): void;
  now(): number;
}

/** What a file call gives back; folders are listed as JSON. */
export type FileValue = Uint8Array | string | boolean | undefined;

export type FileOperation = "readFile" | "writeFile" | "exists" | "readDirectory" | "makeDirectory" | "remove" | "move";

export type EngineResult =
  | { readonly ok: true; readonly text?: string; readonly json?: string }
  | { readonly ok: false; readonly name: string; readonly message: string; readonly stack: string };

/** Node gives the ESM face, whose default this is; the types describe the CommonJS one. */
const variant = releaseSync as unknown as QuickJSSyncVariant;
/** What the Emscripten build starts with. */
const FLOOR_MIB = 16;
/** QuickJS recurses on the thread's own stack, several times as deep as it counts. */
const STACK_BYTES = 256 * 1024;
const FILE_OPERATIONS: readonly FileOperation[] = [
  "readFile",
  "writeFile",
  "exists",
  "readDirectory",
  "makeDirectory",
  "remove",
  "move",
];

interface Realm {
  readonly context: QuickJSContext;
  readonly helpers: QuickJSHandle;
}

/**
 * QuickJS in a WebAssembly memory that cannot grow past its cap: neither strings nor buffers nor the engine itself
 * escape it. Each named context is a runtime of its own.
 */
export class Engine {
  readonly #module: QuickJSWASMModule;
  readonly #host: EngineHost;
  readonly #realms = new Map<string, Realm>();

  private constructor(module: QuickJSWASMModule, host: EngineHost) {
    this.#module = module;
    this.#host = host;
  }

  static async load(memoryMiB: number, host: EngineHost): Promise<Engine> {
    const wasmMemory = cappedMemory(FLOOR_MIB, Math.max(FLOOR_MIB, memoryMiB));
    return new Engine(await newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmMemory })), host);
  }

  run(context: string, code: string): EngineResult {
    const realm = this.#realm(context);
    try {
      return this.#settle(realm, this.#evaluate(realm.context, code));
    } finally {
      realm.context.callMethod(realm.helpers, "forget").dispose();
    }
  }

  clear(context: string): void {
    const realm = this.#realms.get(context);
    if (realm === undefined) return;
    this.#realms.delete(context);
    realm.helpers.dispose();
    realm.context.dispose();
  }

  /**
   * A script first, so that declarations stay in the context; one that awaits at its top does not parse as a script, and
   * is read again as the body of an async function.
   */
  #evaluate(context: QuickJSContext, code: string): ReturnType<QuickJSContext["evalCode"]> {
    const first = context.evalCode(redeclarable(code), "cell.js", { type: "global" });
    if (first.error === undefined || !/\bawait\b/.test(code)) return first;
    if (described(context.dump(first.error)).name !== "SyntaxError") return first;
    first.error.dispose();
    return context.evalCode(`(async () => {\n${code}\n})()`, "cell.js", { type: "global" });
  }

  #settle(realm: Realm, outcome: ReturnType<QuickJSContext["evalCode"]>): EngineResult {
    const { context } = realm;
    if (outcome.error) return failure(context, outcome.error);
    let value = outcome.value;
    for (;;) {
      const jobs = context.runtime.executePendingJobs();
      if (jobs.error) {
        value.dispose();
        return failure(context, jobs.error);
      }
      jobs.dispose();
      const state = context.getPromiseState(value);
      if (state.type === "rejected") {
        value.dispose();
        return failure(context, state.error);
      }
      if (state.type === "fulfilled" && !state.notAPromise) {
        value.dispose();
        value = state.value;
        continue;
      }
      const waitMs = Number(this.#helper(realm, "wait"));
      if (this.#host.interrupted()) {
        value.dispose();
        return { ok: false, name: "InternalError", message: "interrupted", stack: "" };
      }
      if (waitMs < 0 && state.type === "pending") {
        value.dispose();
        return { ok: false, name: "Error", message: "The result is a promise that nothing can settle.", stack: "" };
      }
      if (waitMs < 0) return this.#shown(realm, value);
      this.#host.wait(waitMs);
      const fired = context.callMethod(realm.helpers, "fire");
      if (fired.error) {
        value.dispose();
        return failure(context, fired.error);
      }
      fired.dispose();
    }
  }

  #shown(realm: Realm, value: QuickJSHandle): EngineResult {
    try {
      if (realm.context.typeof(value) === "undefined") return { ok: true };
      const text = this.#helper(realm, "show", value);
      const json = this.#helper(realm, "json", value);
      return {
        ok: true,
        ...(typeof text === "string" ? { text } : {}),
        ...(typeof json === "string" ? { json } : {}),
      };
    } finally {
      value.dispose();
    }
  }

  #helper({ context, helpers }: Realm, name: string, ...args: QuickJSHandle[]): unknown {
    const result = context.callMethod(helpers, name, args);
    if (result.error) {
      result.error.dispose();
      return undefined;
    }
    const dumped: unknown = context.dump(result.value);
    result.value.dispose();
    return dumped;
  }

  #realm(name: string): Realm {
    const known = this.#realms.get(name);
    if (known !== undefined) return known;
    const runtime = this.#module.newRuntime();
    runtime.setMaxStackSize(STACK_BYTES);
    runtime.setInterruptHandler(() => this.#host.interrupted());
    const context = runtime.newContext({ ownedLifetimes: [runtime] });
    const prelude = context.unwrapResult(context.evalCode(PRELUDE, "prelude.js"));
    const host = this.#hostObject(context);
    const helpers = context.unwrapResult(context.callFunction(prelude, context.undefined, host));
    prelude.dispose();
    host.dispose();
    const realm = { context, helpers };
    this.#realms.set(name, realm);
    return realm;
  }

  #hostObject(context: QuickJSContext): QuickJSHandle {
    const object = context.newObject();
    const define = (name: string, body: (...args: QuickJSHandle[]) => QuickJSHandle) =>
      context.newFunction(name, body).consume((handle) => context.setProp(object, name, handle));
    const bytes = (data: Uint8Array) => context.newArrayBuffer(new Uint8Array(data).buffer);

    define("now", () => context.newNumber(this.#host.now()));
    define("write", (stream, text) => {
      if (stream === undefined || text === undefined) return context.undefined;
      this.#host.write(context.getString(stream) === "stderr" ? "stderr" : "stdout", context.getString(text));
      return context.undefined;
    });
    define("environment", () => context.newString(JSON.stringify(this.#host.environment)));
    define("encode", (text) => bytes(Buffer.from(text === undefined ? "" : context.getString(text), "utf8")));
    define("decode", (buffer) => {
      if (buffer === undefined) return context.undefined;
      return context
        .getArrayBuffer(buffer)
        .consume(({ value }) => context.newString(Buffer.from(value).toString("utf8")));
    });
    for (const operation of FILE_OPERATIONS) {
      define(operation, (path, argument) => {
        const given = path === undefined ? "" : context.getString(path);
        const answer = this.#host.files(operation, given, fileArgument(context, argument));
        if (typeof answer === "string") return context.newString(answer);
        if (typeof answer === "boolean") return answer ? context.true : context.false;
        return answer === undefined ? context.undefined : bytes(answer);
      });
    }
    return object;
  }
}

function fileArgument(context: QuickJSContext, handle: QuickJSHandle | undefined): Uint8Array | string | undefined {
  if (handle === undefined) return undefined;
  if (context.typeof(handle) === "string") return context.getString(handle);
  return context.getArrayBuffer(handle).consume(({ value }) => new Uint8Array(value));
}

/** As notebooks have it: a `const` may be declared again by a later run. Source with template text is left alone. */
const redeclarable = (code: string): string =>
  code.includes("`") ? code : code.replace(/^(?:const|let)(?=\s)/gm, "var");

function failure(context: QuickJSContext, error: QuickJSHandle): EngineResult {
  const { name, message, stack } = described(context.dump(error));
  error.dispose();
  return { ok: false, name, message, stack };
}

function described(error: unknown): { readonly name: string; readonly message: string; readonly stack: string } {
  if (typeof error !== "object" || error === null) return { name: "Error", message: String(error), stack: "" };
  const { name, message, stack } = error as Record<string, unknown>;
  return { name: String(name ?? "Error"), message: String(message ?? ""), stack: String(stack ?? "") };
}
