import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Engine, type EngineHost } from "./engine.ts";
import {
  CALL_SLOT,
  type FilesAnswer,
  type FilesCall,
  type FromWorker,
  INTERRUPT_SLOT,
  type ToWorker,
  type WorkerStart,
} from "./protocol.ts";

const { memoryMiB, environment, signals, files } = workerData as WorkerStart;
const flags = new Int32Array(signals);
const say = (message: FromWorker): void => parentPort?.postMessage(message);
const left = { stdout: 0, stderr: 0 };

const host: EngineHost = {
  environment,
  write(stream, text) {
    const bytes = Buffer.from(text);
    const shown = bytes.byteLength <= left[stream] ? text : bytes.subarray(0, left[stream]).toString("utf8");
    left[stream] -= Math.min(bytes.byteLength, left[stream]);
    if (shown !== "") say({ type: "output", stream, text: shown });
    if (shown !== text) say({ type: "truncated" });
  },
  files(operation, path, argument) {
    Atomics.store(flags, CALL_SLOT, 0);
    files.postMessage({ operation, path, ...(argument === undefined ? {} : { argument }) } satisfies FilesCall);
    Atomics.wait(flags, CALL_SLOT, 0);
    const answer = receiveMessageOnPort(files)?.message as FilesAnswer | undefined;
    if (answer === undefined) throw new Error("The sandbox is closed.");
    if ("error" in answer) throw new Error(answer.error);
    return answer.value;
  },
  interrupted: () => Atomics.load(flags, INTERRUPT_SLOT) !== 0,
  wait: (ms) => void Atomics.wait(flags, INTERRUPT_SLOT, 0, ms),
  now: () => Math.round(performance.timeOrigin + performance.now()),
};

const engine = await Engine.load(memoryMiB, host);
parentPort?.on("message", (message: ToWorker) => {
  if (message.type === "clear") {
    engine.clear(message.context);
    return;
  }
  left.stdout = left.stderr = message.outputBytes;
  say({ type: "done", result: engine.run(message.context, message.code) });
});
