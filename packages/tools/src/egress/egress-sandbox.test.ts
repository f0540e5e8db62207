import { hostile } from "../../../../test/support/hostile.ts";
import { describeWith, parts } from "../../../../test/support/system-part.ts";
import { BubblewrapBackend } from "../bubblewrap/index.ts";
import { egressSandboxSuite } from "../fixtures/egress-sandbox-suite.ts";
import { GvisorBackend } from "../gvisor/index.ts";

describeWith([parts.bubblewrap, parts.python], "egress out of bubblewrap", () => {
  egressSandboxSuite({
    ...{ hostile, backend: "bubblewrap" },
    open: (egress) => new BubblewrapBackend({ egress }),
  });
});

describeWith([parts.gvisor, parts.python], "egress out of gVisor", () => {
  egressSandboxSuite({
    ...{ hostile, backend: "gvisor" },
    open: (egress) => new GvisorBackend({ egress }),
  });
});
