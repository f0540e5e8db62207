import * as z from "zod";
import type { Json } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import { type Execution, LANGUAGES, type Language } from "../execution.ts";
import type { TaskState } from "./background-tasks.ts";
import { defineTool, needsCommands } from "./define-tool.ts";
import type { SandboxTool, ToolContent, ToolResult } from "./sandbox-tool.ts";

const text = (value: string): ToolContent => ({ type: "text", text: value });

const executeCode: SandboxTool = defineTool({
  name: "executeCode",
  description: "Run code in the sandbox. Variables persist across calls; the value of the last expression comes back.",
  input: (capabilities) =>
    z.object({
      code: z.string(),
      language: z.enum((capabilities?.languages ?? LANGUAGES) as readonly [Language, ...Language[]]).optional(),
      clearContext: z.boolean().optional().describe("Forget the variables of earlier calls first"),
    }),
  missing: ({ backend, languages }) => (languages.length > 0 ? undefined : `the ${backend} backend runs no code`),
  async run({ context, sandbox }, { code, language, clearContext }) {
    const box = await sandbox();
    const chosen =
      language ?? (box.capabilities.languages.includes("python") ? "python" : box.capabilities.languages[0]);
    if (chosen === undefined) throw new ToolsError("TOOLS_LANGUAGE_MISSING", "This sandbox runs no code.");
    if (clearContext) await box.clearContext({ language: chosen });
    const signal = context.signal === undefined ? {} : { signal: context.signal };
    return executed(await box.run(code, { language: chosen, ...signal }));
  },
});

const executeCommand: SandboxTool = defineTool({
  name: "executeCommand",
  description: "Run a shell command in the sandbox and wait for its end.",
  missing: needsCommands,
  input: () => z.object({ command: z.string().min(1) }),
  async run({ context, sandbox }, { command }) {
    const signal = context.signal === undefined ? {} : { signal: context.signal };
    const done = await (await sandbox()).exec(["/bin/bash", "-c", command], signal);
    const { stdout, stderr, durationMs } = done;
    const exitCode = done.exitCode ?? (done.timedOut ? 124 : 128);
    return {
      content: [text([stdout, stderr].filter((part) => part !== "").join("\n"))],
      structuredContent: { stdout, stderr, exitCode, executionTime: durationMs },
      isError: exitCode !== 0,
    };
  },
});

const startCommandExecution: SandboxTool = defineTool({
  name: "startCommandExecution",
  description: "Start a shell command in the background; ask for it with getTask.",
  missing: needsCommands,
  input: () => z.object({ command: z.string().min(1) }),
  run: async ({ sandbox, tasks }, { command }) => task(await tasks.start(await sandbox(), command)),
});

const getTask: SandboxTool = defineTool({
  name: "getTask",
  description: "The state and output of a background task.",
  missing: needsCommands,
  input: () => z.object({ taskId: z.string() }),
  run: async ({ tasks }, { taskId }) => task(tasks.get(taskId)),
});

const stopTask: SandboxTool = defineTool({
  name: "stopTask",
  description: "Stop a background task.",
  missing: needsCommands,
  input: () => z.object({ taskId: z.string() }),
  run: async ({ tasks }, { taskId }) => task(await tasks.stop(taskId)),
});

const readFiles: SandboxTool = defineTool({
  name: "readFiles",
  description: "Read files of the sandbox.",
  input: () => z.object({ paths: z.array(z.string()).min(1).max(100) }),
  async run({ sandbox }, { paths }) {
    const { files } = await sandbox();
    const content: ToolContent[] = [];
    for (const path of paths) content.push({ type: "resource", resource: resource(path, await files.read(path)) });
    return { content };
  },
});

const writeFiles: SandboxTool = defineTool({
  name: "writeFiles",
  description: "Write files in the sandbox: each with text, or with blob as base64.",
  input: () =>
    z.object({
      content: z
        .array(z.object({ path: z.string().min(1), text: z.string().optional(), blob: z.base64().optional() }))
        .min(1)
        .max(100),
    }),
  async run({ sandbox }, { content }) {
    const { files } = await sandbox();
    for (const each of content) {
      await files.write(each.path, each.blob === undefined ? (each.text ?? "") : Buffer.from(each.blob, "base64"));
    }
    return { content: [text(`Wrote ${content.length} files.`)] };
  },
});

const listFiles: SandboxTool = defineTool({
  name: "listFiles",
  description: "List a folder of the sandbox.",
  input: () => z.object({ directoryPath: z.string().optional(), path: z.string().optional() }),
  async run({ sandbox }, { directoryPath, path }) {
    const entries = await (await sandbox()).files.list(directoryPath ?? path ?? ".");
    return {
      content: entries.map((entry) => ({
        type: "resource_link",
        uri: uri(entry.path),
        name: entry.path,
        description: entry.type === "folder" ? "Directory" : "File",
        ...(entry.type === "folder" ? {} : { size: entry.bytes }),
      })),
    };
  },
});

const removeFiles: SandboxTool = defineTool({
  name: "removeFiles",
  description: "Remove files or folders of the sandbox.",
  input: () => z.object({ paths: z.array(z.string()).min(1).max(100) }),
  async run({ sandbox }, { paths }) {
    const { files } = await sandbox();
    for (const path of paths) await files.remove(path, { recursive: true });
    return { content: [text(`Removed ${paths.length}.`)] };
  },
});

/** The nine operations of AgentCore's code interpreter, under its own names and with its own arguments. */
export const codeInterpreterTools: readonly SandboxTool[] = [
  executeCode,
  executeCommand,
  readFiles,
  listFiles,
  removeFiles,
  writeFiles,
  startCommandExecution,
  getTask,
  stopTask,
];

function executed({ status, results, stdout, stderr, error, durationMs, stateLost }: Execution): ToolResult {
  const failed = status !== "ok";
  const problem = error === undefined ? status : error.traceback || `${error.name}: ${error.message}`;
  const lost = stateLost ? "\nThe variables of earlier calls are gone." : "";
  const said = [stdout, stderr, failed ? `${problem}${lost}` : ""].filter((part) => part !== "").join("\n");
  return {
    content: [...(said === "" ? [] : [text(said)]), ...results.flatMap(({ data }) => shown(data))],
    structuredContent: {
      stdout,
      stderr: failed ? [stderr, problem].filter((part) => part !== "").join("\n") : stderr,
      exitCode: failed ? 1 : 0,
      executionTime: durationMs,
    },
    isError: failed,
  };
}

/** The picture where there is one, else the table or drawing with its plain form, else the plain form. */
function shown(data: Readonly<Record<string, string>>): ToolContent[] {
  const plain = data["text/plain"];
  const image = Object.entries(data).find(([type]) => type === "image/png" || type === "image/jpeg");
  if (image !== undefined) return [{ type: "image", mimeType: image[0], data: image[1] }];
  const rich = Object.entries(data).find(([type]) => type === "text/html" || type === "image/svg+xml");
  const out = plain === undefined ? [] : [text(plain)];
  if (rich === undefined) return out;
  return [...out, { type: "resource", resource: { uri: "result:value", mimeType: rich[0], text: rich[1] } }];
}

function task({ taskId, taskStatus, stdout, stderr, exitCode }: TaskState): ToolResult {
  return {
    content: [text([`${taskId}: ${taskStatus}`, stdout, stderr].filter((part) => part !== "").join("\n"))],
    structuredContent: { taskId, taskStatus, stdout, stderr, ...(exitCode === undefined ? {} : { exitCode }) },
  };
}

const uri = (path: string): string => `file:///${path.replace(/^\//, "").split("/").map(encodeURIComponent).join("/")}`;

function resource(path: string, data: Uint8Array): Json {
  try {
    return { uri: uri(path), mimeType: "text/plain", text: new TextDecoder("utf-8", { fatal: true }).decode(data) };
  } catch {
    return { uri: uri(path), mimeType: "application/octet-stream", blob: Buffer.from(data).toString("base64") };
  }
}
