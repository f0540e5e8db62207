import type { SandboxBackend } from "@ashlar/tools";
import { TENANT } from "./config.ts";

const python = (port: number) => `
import socket
try:
    socket.create_connection(("127.0.0.1", ${port}), 1).close()
    print("reached")
except OSError as error:
    print("refused", error)`;

const javascript = (port: number) => `
let said;
try {
  said = typeof fetch === "function" ? String(await fetch("http://127.0.0.1:${port}")) : "refused: there is no network to ask";
} catch (error) {
  said = "refused " + error;
}
console.log(said);`;

/** Code in a sandbox tries to connect to a listener of the host; true when it got through. */
export async function reachesListener(backend: SandboxBackend, port: number): Promise<boolean> {
  await using sandbox = await backend.create({ principal: { tenant: TENANT, session: "check" } });
  const usesPython = sandbox.capabilities.languages.includes("python");
  const { stdout } = await sandbox.run(usesPython ? python(port) : javascript(port), {
    language: usesPython ? "python" : "javascript",
  });
  if (!stdout.includes("refused") && !stdout.includes("reached"))
    throw new Error(`The check in the sandbox said nothing: ${stdout}`);
  return !stdout.includes("refused");
}
