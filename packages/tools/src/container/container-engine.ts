/** The calls this backend sends; a dockerode `Docker` has them, over Docker's API or Podman's API service. */
export interface ContainerEngine {
  version(): Promise<{ readonly Components?: readonly { readonly Name: string }[] }>;
  createContainer(options: Record<string, unknown>): Promise<EngineContainer>;
}

export interface EngineContainer {
  attach(options: {
    readonly stream: boolean;
    readonly hijack: boolean;
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
  }): Promise<NodeJS.ReadWriteStream>;
  start(): Promise<unknown>;
  wait(): Promise<{ readonly StatusCode: number }>;
  kill(): Promise<unknown>;
  remove(options: { readonly force: boolean }): Promise<unknown>;
}
