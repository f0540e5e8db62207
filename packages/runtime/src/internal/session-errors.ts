import { RuntimeError } from "../errors.ts";

export const notFound = (session: string): RuntimeError =>
  new RuntimeError("RUNTIME_NOT_FOUND", `There is no session ${session}.`);

export function unknownAgent(name: string, qualifier?: string): RuntimeError {
  const version = qualifier === undefined ? "" : ` in version ${qualifier}`;
  return new RuntimeError(
    "RUNTIME_NOT_FOUND",
    `There is no agent ${name}${version} here. Define it before opening sessions.`,
  );
}

export const fenced = (session: string): RuntimeError =>
  new RuntimeError(
    "RUNTIME_FENCED",
    `Session ${session} has been claimed anew: this owner may no longer write to it. Drop the work; the new owner goes on.`,
  );

export const ended = (session: string): RuntimeError =>
  new RuntimeError("RUNTIME_SESSION_ENDED", `Session ${session} has ended and takes no more input. Open a new one.`);

export const exists = (session: string): RuntimeError =>
  new RuntimeError("RUNTIME_SESSION_EXISTS", `The session id ${session} is in use. Open with another id.`);

export const busy = (session: string): RuntimeError =>
  new RuntimeError("RUNTIME_SESSION_BUSY", `Session ${session} is claimed by a worker. Kill it first, then delete it.`);
