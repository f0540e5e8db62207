import type { SandboxProcess } from "../command.ts";
import type { IdSource } from "../dialect.ts";
import { ToolsError } from "../errors.ts";
import type { Sandbox } from "../sandbox.ts";

/** AgentCore's own words. */
export type TaskStatus = "submitted" | "working" | "completed" | "failed" | "canceled";

export interface TaskState {
  readonly taskId: string;
  readonly taskStatus: TaskStatus;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode?: number;
}

interface Task {
  readonly process: SandboxProcess;
  readonly output: { stdout: string; stderr: string };
  status: TaskStatus;
  exitCode?: number;
}

const MAX_TASKS = 64;
/** The newest characters of each stream are kept. */
const KEPT = 100_000;

/** Commands that go on while the agent does other things. They end with their sandbox. */
export class BackgroundTasks {
  readonly #ids: IdSource;
  readonly #tasks = new Map<string, Task>();

  constructor({ ids }: { readonly ids: IdSource }) {
    this.#ids = ids;
  }

  get running(): number {
    return [...this.#tasks.values()].filter(({ status }) => status === "working").length;
  }

  async start(sandbox: Sandbox, command: string): Promise<TaskState> {
    if (this.running >= MAX_TASKS) {
      throw new ToolsError("TOOLS_LIMIT_EXCEEDED", `${MAX_TASKS} tasks are running: stop one first.`);
    }
    const process = await sandbox.spawn(["/bin/bash", "-c", command]);
    const id = this.#ids.next("tsk");
    const task: Task = { process, output: { stdout: "", stderr: "" }, status: "working" };
    this.#tasks.set(id, task);
    const read = Promise.allSettled([follow(task, "stdout"), follow(task, "stderr")]);
    void process.exit.then(async ({ code }) => {
      await read;
      if (code !== undefined) task.exitCode = code;
      if (task.status === "working") task.status = code === 0 ? "completed" : "failed";
    });
    return { ...state(id, task), taskStatus: "submitted" };
  }

  get(id: string): TaskState {
    return state(id, this.#task(id));
  }

  async stop(id: string): Promise<TaskState> {
    const task = this.#task(id);
    if (task.status === "working") {
      task.status = "canceled";
      await task.process.kill({ graceMs: 2_000 });
    }
    return state(id, task);
  }

  /** Forgets everything: the sandbox has gone. */
  clear(): void {
    this.#tasks.clear();
  }

  #task(id: string): Task {
    const task = this.#tasks.get(id);
    if (task === undefined) throw new ToolsError("TOOLS_UNKNOWN_TASK", `There is no task ${id} in this session.`);
    return task;
  }
}

async function follow({ process, output }: Task, stream: "stdout" | "stderr"): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of process[stream]) {
    output[stream] = (output[stream] + decoder.decode(chunk, { stream: true })).slice(-KEPT);
  }
}

const state = (taskId: string, { status, output, exitCode }: Task): TaskState => ({
  taskId,
  taskStatus: status,
  ...output,
  ...(exitCode === undefined ? {} : { exitCode }),
});
