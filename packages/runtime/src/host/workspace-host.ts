import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { packTar, unpackTar } from "modern-tar/fs";
import type { CallContext } from "../dialect.ts";
import { RuntimeError } from "../errors.ts";
import type { HostedProcess, HostedProgram, IsolationGrade, SessionHost } from "../session-host.ts";

/** Where archives lie between machines; `BlobWorkspaces` is one. */
export interface KeptWorkspaces {
  restore(context: CallContext, workspace: string): Promise<ReadableStream<Uint8Array> | undefined>;
  /** Gives the name of the save, which `newest` gives until the next one. */
  save(context: CallContext, workspace: string, archive: ReadableStream<Uint8Array>): Promise<string>;
  newest(context: CallContext, workspace: string): Promise<string | undefined>;
}

export interface WorkspaceHostDeps {
  /** Takes a folder of this machine as a program's workspace, as `ProcessHost` does. */
  readonly host: SessionHost;
  readonly workspaces: KeptWorkspaces;
  /** Holds one folder for each workspace in use; made when absent, for this user only. */
  readonly folder: string;
}

/**
 * Gives a host's programs files that outlive them. A workspace is restored when its folder is absent or behind the newest
 * save, and saved at every checkpoint and end. What a crash left in the folder is used again as long as nobody has saved
 * since; on another machine the program finds the newest save. Archives are tar with gzip.
 */
export class WorkspaceHost implements SessionHost {
  readonly grade: IsolationGrade;
  readonly #deps: WorkspaceHostDeps;

  constructor(deps: WorkspaceHostDeps) {
    this.grade = deps.host.grade;
    this.#deps = deps;
  }

  async start(context: CallContext, program: HostedProgram): Promise<HostedProcess> {
    const { host, workspaces, folder } = this.#deps;
    const { workspace } = program;
    if (workspace === undefined) return host.start(context, program);
    const place = new Place(workspaces, { principal: context.principal }, workspace, folder);
    await place.prepare();
    const child = await host.start(context, { ...program, workspace: place.folder });
    let saved: Promise<void> | undefined;
    const save = () => {
      saved ??= place.save();
      return saved;
    };
    const exit = child.exit.then(async (end) => {
      const failure = await save().then(
        () => undefined,
        (error: Error) => error.message,
      );
      return failure === undefined ? end : { ...end, reason: failure };
    });
    return {
      ...{ stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exit },
      ...(child.held === undefined ? {} : { held: child.held }),
      checkpoint: () => place.save(),
      async kill(options) {
        await child.kill(options);
        await save();
      },
    };
  }
}

/** One workspace as a folder of this machine, beside it a marker that names the save it goes back to. */
class Place {
  readonly folder: string;
  readonly #workspaces: KeptWorkspaces;
  readonly #context: CallContext;
  readonly #workspace: string;
  #base = "";

  constructor(workspaces: KeptWorkspaces, context: CallContext, workspace: string, folder: string) {
    const named = JSON.stringify([context.principal.tenant, workspace]);
    this.folder = join(folder, createHash("sha256").update(named).digest("hex"));
    this.#workspaces = workspaces;
    this.#context = context;
    this.#workspace = workspace;
  }

  async prepare(): Promise<void> {
    this.#base = (await this.#workspaces.newest(this.#context, this.#workspace)) ?? "";
    const marker = await readFile(this.#marker, "utf8").catch(() => undefined);
    if (marker === this.#base && (await stat(this.folder).catch(() => undefined))?.isDirectory()) return;
    const draft = `${this.folder}.new`;
    await rm(draft, { recursive: true, force: true });
    await rm(this.folder, { recursive: true, force: true });
    await mkdir(draft, { recursive: true, mode: 0o700 });
    const archive = await this.#workspaces.restore(this.#context, this.#workspace);
    if (archive !== undefined) await pipeline(Readable.fromWeb(archive as never), createGunzip(), unpackTar(draft));
    await writeFile(this.#marker, this.#base, { mode: 0o600 });
    await rename(draft, this.folder);
  }

  /** Refused when somebody else has saved since: the session went on elsewhere, and its files are newer than these. */
  async save(): Promise<void> {
    const newest = (await this.#workspaces.newest(this.#context, this.#workspace)) ?? "";
    if (newest !== this.#base) {
      throw new RuntimeError(
        "RUNTIME_CONFLICT",
        `The workspace ${this.#workspace} was saved by another owner: these files are older and are not kept.`,
      );
    }
    const archive = packTar(this.folder).pipe(createGzip({ level: 1 }));
    const stream = Readable.toWeb(archive) as ReadableStream<Uint8Array>;
    this.#base = await this.#workspaces.save(this.#context, this.#workspace, stream);
    await writeFile(this.#marker, this.#base, { mode: 0o600 });
  }

  get #marker(): string {
    return `${this.folder}.base`;
  }
}
