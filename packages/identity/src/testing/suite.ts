/** The test function of a runner: vitest's `test`, `node:test`'s `test`, or any other that takes a name and a body. */
export type TestFunction = (name: string, body: () => Promise<void>) => unknown;
