import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { strongestBackend } from "@ashlar/tools";
import { BubblewrapBackend } from "@ashlar/tools/bubblewrap";

const here = (name: string): URL => new URL(name, import.meta.url);

const { backend } = await strongestBackend([new BubblewrapBackend()], { minIsolation: "namespace" });
const sandbox = await backend.create({ principal: { tenant: "acme" } }, { languages: ["python"] });
console.log(`sandbox: ${backend.name}, grade ${sandbox.capabilities.grade}`);

await sandbox.files.write("charges.csv", await readFile(here("charges.csv")));
const table = await sandbox.run(`
import pandas as pd
charges = pd.read_csv("charges.csv", parse_dates=["day"])
charges.groupby("plan")["amount"].agg(["count", "sum"])
`);
assert.equal(table.status, "ok", table.error?.traceback);
console.log(table.results[0]?.data["text/plain"]);
assert.match(table.results[0]?.data["text/html"] ?? "", /<table/);

// The context kept the data frame.
const plot = await sandbox.run(`
import matplotlib.pyplot as plt
daily = charges.pivot_table(index="day", columns="plan", values="amount", aggfunc="sum")
daily.plot(figsize=(7, 3.5), title="Charges by day", ylabel="EUR")
plt.show()
`);
assert.equal(plot.status, "ok", plot.error?.traceback);
const picture = Buffer.from(plot.results[0]?.data["image/png"] ?? "", "base64");
assert.equal(picture.subarray(1, 4).toString(), "PNG");

const outward = await sandbox.run("import socket; socket.create_connection(('1.1.1.1', 53), timeout=1)");
assert.equal(outward.status, "error", "the sandbox has no network");

await writeFile(here("charges.png"), picture);
console.log(`wrote charges.png, ${picture.length} bytes`);
await sandbox.close();
await backend.close();
