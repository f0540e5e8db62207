import * as z from "zod";
import { ToolsError } from "../errors.ts";
import { defineTool, needsCommands, textResult } from "./define-tool.ts";
import type { SandboxTool, ToolResult } from "./sandbox-tool.ts";

const DEFAULT_TIMEOUT_MS = 120_000;

/**
 * Each command is a shell of its own that takes up where the last one stopped: folder, exported variables and
 * functions are kept in a file. A command that hangs therefore costs its own time and nothing else.
 */
const STATE = "/tmp/.shell-state";
const SHELL = `if [ -f ${STATE} ]; then . ${STATE} 2>/dev/null; fi
trap 'code=$?; { export -p; declare -f; printf "cd %q\\n" "$PWD"; } > ${STATE} 2>/dev/null; exit $code' EXIT
eval "$1"`;

const bash: SandboxTool = defineTool({
  name: "bash",
  description:
    "Run a bash command in the sandbox. The working folder, exported variables and functions persist across calls.",
  missing: needsCommands,
  input: () =>
    z.object({
      command: z.string().optional().describe("The command to run"),
      restart: z.boolean().optional().describe("Forget the state of earlier commands first"),
      timeout_ms: z.number().int().positive().max(3_600_000).optional().describe("Wall time in milliseconds"),
    }),
  async run({ context, sandbox }, { command, restart, timeout_ms }) {
    if (!command && !restart) throw new ToolsError("TOOLS_INVALID", "Arguments of bash: a command is required.");
    const box = await sandbox();
    const signal = context.signal === undefined ? {} : { signal: context.signal };
    if (restart) await box.exec(["/bin/rm", "-f", STATE], signal);
    if (!command) return textResult("The shell starts afresh.");
    const timeoutMs = timeout_ms ?? DEFAULT_TIMEOUT_MS;
    const done = await box.exec(["/bin/bash", "-c", SHELL, "bash", command], { timeoutMs, ...signal });
    const notes = [
      done.truncated ? "[output truncated]" : "",
      done.timedOut ? `[timed out after ${timeoutMs} ms]` : "",
      done.signal === undefined || done.timedOut ? "" : `[ended by ${done.signal}]`,
      done.exitCode === undefined || done.exitCode === 0 ? "" : `[exit code ${done.exitCode}]`,
    ];
    const text = [done.stdout, done.stderr, ...notes].filter((part) => part !== "").join("\n");
    const failed = done.exitCode !== 0;
    return failed ? { ...textResult(text), isError: true } : textResult(text === "" ? "(no output)" : text);
  },
});

const read: SandboxTool = defineTool({
  name: "read",
  description: "Read a UTF-8 text file of the sandbox.",
  input: () =>
    z.object({
      file_path: z.string().min(1),
      view_range: z.tuple([z.number().int(), z.number().int()]).optional().describe("[first, last] line, from 1"),
    }),
  async run({ sandbox }, { file_path, view_range }) {
    const text = await (await sandbox()).files.readText(file_path);
    if (view_range === undefined) return textResult(text);
    const [first, last] = view_range;
    const lines = text.split("\n").slice(Math.max(0, first - 1), last > 0 ? last : undefined);
    return textResult(lines.join("\n"));
  },
});

const write: SandboxTool = defineTool({
  name: "write",
  description: "Write a UTF-8 text file in the sandbox; parent folders are created, an older file is replaced.",
  input: () => z.object({ file_path: z.string().min(1), content: z.string() }),
  async run({ sandbox }, { file_path, content }) {
    await (await sandbox()).files.write(file_path, content);
    return textResult(`Wrote ${Buffer.byteLength(content)} bytes to ${file_path}.`);
  },
});

const edit: SandboxTool = defineTool({
  name: "edit",
  description: "Replace old_string by new_string in a file. It must occur exactly once, unless replace_all is true.",
  input: () =>
    z.object({
      file_path: z.string().min(1),
      old_string: z.string().min(1),
      new_string: z.string(),
      replace_all: z.boolean().optional(),
    }),
  async run({ sandbox }, { file_path, old_string, new_string, replace_all = false }) {
    const change = { find: old_string, replace: new_string, all: replace_all };
    const { replacements } = await (await sandbox()).files.edit(file_path, change);
    return textResult(`Edited ${file_path} (replaced ${replacements}).`);
  },
});

const glob: SandboxTool = defineTool({
  name: "glob",
  description: "Find files of the sandbox by a pattern with *, **, ? and [].",
  input: () => z.object({ pattern: z.string().min(1), path: z.string().optional().describe("Folder to search in") }),
  async run({ sandbox }, { pattern, path }) {
    const found = await (await sandbox()).files.glob(pattern, path === undefined ? {} : { path });
    return lines(found);
  },
});

const grep: SandboxTool = defineTool({
  name: "grep",
  description: "Search the text files of the sandbox for a regular expression.",
  input: () => z.object({ pattern: z.string().min(1), path: z.string().optional() }),
  async run({ sandbox }, { pattern, path }) {
    const found = await (await sandbox()).files.grep(pattern, path === undefined ? {} : { path });
    return lines(found.map((match) => `${match.path}:${match.line}:${match.text}`));
  },
});

const lines = (found: readonly string[]): ToolResult =>
  textResult(found.length === 0 ? "No matches." : found.join("\n"));

/** `bash`, `read`, `write`, `edit`, `glob`, `grep` with the arguments of Anthropic's `agent_toolset_20260401`. */
export const agentTools: readonly SandboxTool[] = [bash, read, write, edit, glob, grep];
