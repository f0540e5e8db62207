import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The files that take longest, the longest first: one that starts last leaves the other workers idle. */
const LONG = [
  "container/container-backend.test.ts",
  "test/ticket-resolver.test.ts",
  "gvisor/hostile.test.ts",
  "test/server.test.ts",
  "console/console.test.ts",
  "browser/hostile-pages.test.ts",
];

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.endsWith(name));
      return at === -1 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
