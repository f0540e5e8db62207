import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("fixtures/heap-after-use.ts", import.meta.url));

test("after a call the heap of the process holds no value, while all services live on", async () => {
  const flags = ["--conditions=@ashlar/source", "--disable-warning=ExperimentalWarning"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program]);
  const { kept, dropped, audited } = JSON.parse(stdout);
  expect(kept, "the control: values that are still in use are found").toEqual([0, 1, 2, 3]);
  expect(dropped).toEqual([]);
  expect(audited).toMatchObject({ intact: true, rows: 8 });
});
