/** What an event is about, for its colour: what people and agents say, what the model does, what is remembered … */
export function familyOf({ type, step = "" }) {
  if (/fail|error|denied|killed|parked/.test(type)) return "bad";
  if (/approval|waiting|retry|recovered|uncertain|interrupt/.test(type)) return "warn";
  if (/memory/.test(type) || /^(?:tool:)?memory[._]/.test(step)) return "memory";
  if (/policy/.test(type) || step.startsWith("permission:")) return "policy";
  if (/message/.test(type)) return "said";
  if (/^step\./.test(type)) return /^model/.test(step) ? "model" : "step";
  return "other";
}

/** The text in what somebody said, a tool gave or a model answered. */
export function textOf(value) {
  if (value === undefined || value === null) return "";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join("\n");
  if (Array.isArray(value.calls) && value.calls.length > 0)
    return [value.text, ...value.calls.map(({ toolName, input }) => `→ ${toolName} ${JSON.stringify(input)}`)]
      .filter(Boolean)
      .join("\n");
  for (const key of ["text", "message", "content", "output", "name", "reason"])
    if (value[key] !== undefined && value[key] !== "") return textOf(value[key]);
  return JSON.stringify(value);
}

/** An event in two parts: what it is about, and what it says. */
export function told({ type, step, body, blob }) {
  if (blob) return { subject: step ?? "", text: `${blob.mediaType}, ${blob.bytes} bytes, kept apart` };
  const subject = (step ?? body?.name ?? "").replace(/^tool:/, "");
  if (type === "step.started") return { subject, text: "" };
  if (/^approval\.requested$/.test(type))
    return { subject: body?.resource ?? body?.name ?? "", text: body?.reason ?? body?.text ?? "" };
  if (type === "usage.recorded")
    return { subject: body?.model ?? "", text: `${body?.inputTokens ?? 0} tokens in, ${body?.outputTokens ?? 0} out` };
  if (type === "policy.decided" || step?.startsWith("permission:")) {
    const { effect = "", reason = "", text } = body?.output ?? body ?? {};
    return { subject, text: text ?? `${effect}: ${reason}` };
  }
  if (typeof body === "object" && body !== null && textOf(body) === JSON.stringify(body))
    return {
      subject,
      text: Object.entries(body)
        .slice(0, 5)
        .map(([key, value]) => `${key} ${textOf(value)}`)
        .join("  "),
    };
  return { subject, text: textOf(body) };
}

export const line = (event) => {
  const { subject, text } = told(event);
  return `${subject}  ${text}`.trim().replaceAll(/\s+/g, " ").slice(0, 300);
};

/** The events of the workers, whose fences tell them apart; inputs from outside carry none of their own. */
const written = ({ turn }) => turn !== undefined;

/** Facts that need the events before: who took over where, and how long a step took. */
export class Reading {
  constructor() {
    this.takeovers = new Set();
    this.took = new Map();
    this.begun = new Map();
    this.fences = new Set();
    this.retried = new Set();
    this.read = 0;
  }
  /** Reads on from where it was. */
  to(events) {
    const all = !events.some(written);
    for (; this.read < events.length; this.read++) {
      const event = events[this.read];
      if (event.type === "step.started") {
        this.begun.set(event.step, event.at);
      } else if (this.begun.has(event.step)) this.took.set(event.seq, event.at - this.begun.get(event.step));
      if (event.attempt > 1) this.retried.add(`${event.turn}:${event.step}:${event.attempt}`);
      if (!all && !written(event)) continue;
      if (this.fence !== undefined && this.fence !== event.fence) this.takeovers.add(event.seq);
      this.fence = event.fence;
      this.fences.add(event.fence);
    }
  }
}
