import { RuntimeError } from "../errors.ts";

export const conflict = (kind: string, name: string, expected: number, found: number): RuntimeError =>
  new RuntimeError(
    "RUNTIME_CONFLICT",
    `The ${kind} ${name} is at version ${found}, not ${expected}: read it again and repeat the change.`,
  );
