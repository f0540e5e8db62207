/** Thrown through a body to free its process: the turn runs again when there is something to go on with. */
export class Suspension extends Error {
  override readonly name = "Suspension";
  readonly on: "input" | "approval" | "timer" | "child" | "budget" | "work";
  readonly wakeAt: number | undefined;

  constructor(on: Suspension["on"], wakeAt?: number) {
    super(`The turn waits for ${on}; let this pass.`);
    this.on = on;
    this.wakeAt = wakeAt;
  }
}

/** The signal's reason when a person interrupts a turn or asks a session to stop. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  readonly by: "interrupt" | "stop" | "drain" | "fenced";

  constructor(by: Interruption["by"]) {
    super(`The turn was ended by ${by}.`);
    this.by = by;
  }
}
