import { count, duration, h, money } from "./base.js";
import { table } from "./table.js";

/** Tokens, cost and time: exact from the log's own counts, else from the spans of model calls. */
export class Usage {
  constructor() {
    this.element = h("div", { id: "usage", class: "tables", tabindex: "0", hidden: true });
    Object.assign(this, { events: [], spans: [] });
  }

  set({ events = this.events, spans = this.spans, reading = this.reading }) {
    Object.assign(this, { events, spans, reading });
    this.models = byModel(events, spans);
    if (!this.element.hidden) this.draw();
  }

  totals() {
    const sums = { input: 0, output: 0, cached: 0, micros: 0, currency: undefined };
    for (const each of this.models?.values() ?? []) {
      for (const key of ["input", "output", "cached", "micros"]) sums[key] += each[key];
      sums.currency ??= each.currency;
    }
    return sums;
  }

  draw() {
    const models = [...this.models].map(([model, each]) => ({
      cells: [model, count(each.calls), count(each.input), count(each.cached), count(each.output), cost(each)],
    }));
    const steps = [...bySteps(this.events, this.reading)].map(([step, { calls, retries, failures, ms }]) => ({
      tone: failures > 0 ? "worse" : undefined,
      cells: [step, count(calls), count(retries), count(failures), duration(ms)],
    }));
    const named = ["Model", "Calls #", "Tokens in #", "of them cached #", "Tokens out #", "Cost #"];
    this.element.replaceChildren(
      ...(models.length > 0 ? [table("Models", named, models)] : []),
      ...(steps.length > 0
        ? [table("Steps and tools", ["Step", "Completed #", "Retries #", "Failed #", "Time #"], steps)]
        : []),
    );
    if (models.length + steps.length === 0)
      this.element.append(h("p", { class: "empty" }, "Nothing was used that is counted."));
  }
}

const cost = ({ micros, currency }) => (currency === undefined ? "no price" : money({ micros, currency }));

function byModel(events, spans) {
  const models = new Map();
  const add = (model, { input = 0, output = 0, cached = 0, micros = 0, currency }) => {
    const each = models.get(model) ?? { calls: 0, input: 0, output: 0, cached: 0, micros: 0, currency };
    models.set(model, each);
    Object.assign(each, {
      calls: each.calls + 1,
      input: each.input + input,
      output: each.output + output,
      cached: each.cached + cached,
      micros: each.micros + micros,
      currency: each.currency ?? currency,
    });
  };
  for (const { type, body } of events) {
    if (type !== "usage.recorded" || body?.model === undefined) continue;
    const {
      model,
      inputTokens: input,
      outputTokens: output,
      cachedTokens: cached,
      costMicros: micros,
      currency,
    } = body;
    add(model, { input, output, cached, micros, currency });
  }
  if (models.size > 0) return models;
  for (const { attributes, price, open } of spans) {
    if (open || attributes["gen_ai.operation.name"] !== "chat") continue;
    add(attributes["gen_ai.response.model"] ?? attributes["gen_ai.request.model"] ?? "a model", {
      input: attributes["gen_ai.usage.input_tokens"],
      output: attributes["gen_ai.usage.output_tokens"],
      cached: attributes["gen_ai.usage.cache_read.input_tokens"],
      ...price,
    });
  }
  return models;
}

function bySteps(events, reading) {
  const steps = new Map();
  for (const { type, step, attempt, seq } of events) {
    if (step === undefined) continue;
    const name = step.replace(/#\d+$/, "").replace(/^tool:/, "");
    const each = steps.get(name) ?? { calls: 0, retries: 0, failures: 0, ms: 0 };
    steps.set(name, each);
    if (type === "step.started" && attempt > 1) each.retries++;
    if (type === "step.failed") each.failures++;
    if (type !== "step.completed") continue;
    each.calls++;
    each.ms += reading?.took.get(seq) ?? 0;
  }
  return [...steps].sort(([, a], [, b]) => b.ms - a.ms);
}
