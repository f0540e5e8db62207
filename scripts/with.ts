/** Runs, at the root, a program that lives in a folder with a lockfile of its own: `with.ts checks biome check .` */
import { join } from "node:path";
import { install, programOf, root, run } from "./workspace.ts";

const [folder = "", program = "", ...args] = process.argv.slice(2);
const workspace = join(root, folder);
install(workspace);
process.exitCode = run(programOf(workspace, program), args, root);
