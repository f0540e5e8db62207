import { afterAll, expect, test } from "vitest";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { BubblewrapBackend } from "../bubblewrap/index.ts";
import { agentTools, codeInterpreterTools, SandboxTools } from "./index.ts";

describeWith([parts.bubblewrap, parts.python], "tools that run commands", () => {
  const backend = new BubblewrapBackend();
  const tools = new SandboxTools({ backend, tools: [...agentTools, ...codeInterpreterTools] });
  const context = { principal: { tenant: "acme", session: "one" } };
  const call = (name: string, args: object) => tools.call(context, name, args as never);
  const text = async (name: string, args: object) => (await call(name, args)).content[0]?.text;
  afterAll(async () => {
    await tools.close();
    await backend.close();
  });

  test("all are offered", async () => {
    expect(await tools.list(context)).toHaveLength(15);
    expect(await tools.unavailable()).toEqual([]);
  });

  test("bash keeps its folder, exported variables and functions, until it is restarted", async () => {
    await call("bash", { command: "mkdir -p deep && cd deep && export A='1 2' && f() { echo f-$A; }" });
    expect(await text("bash", { command: "pwd; f" })).toContain("/workspace/deep\nf-1 2");
    expect(await text("bash", { restart: true, command: "pwd" })).toContain("/workspace\n");
    expect(await text("bash", { command: 'echo "[$A]"' })).toContain("[]");
  });

  test("a command that fails or hangs is an error with its output, and costs nobody the shell", async () => {
    expect(await call("bash", { command: "echo out; echo err >&2; exit 3" })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/out[\s\S]*err[\s\S]*exit code 3/) }],
    });
    expect(await call("bash", { command: "sleep 60", timeout_ms: 200 })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("timed out") }],
    });
    expect(await text("bash", { command: "echo on" })).toContain("on");
  });

  test("a background task is followed and stopped", async () => {
    const started = await call("startCommandExecution", { command: "echo begun; sleep 60" });
    const { taskId } = started.structuredContent as { readonly taskId: string };
    expect(started.structuredContent).toMatchObject({ taskStatus: "submitted" });
    expect(await call("getTask", { taskId })).toMatchObject({ structuredContent: { taskStatus: "working" } });
    expect(await call("stopTask", { taskId })).toMatchObject({ structuredContent: { taskStatus: "canceled" } });
    expect(await call("getTask", { taskId: "tsk_none" })).toMatchObject({ isError: true });
    expect(await call("executeCommand", { command: "echo done" })).toMatchObject({
      structuredContent: { stdout: "done\n", exitCode: 0 },
    });
  });
});
