/** The texts of a value at a path such as `title`, `chapters[*].content`, `authors[-1]`; `$` is every text in it. */
export function textsAt(value: unknown, path: string): string[] {
  if (path === "$") return leaves(value);
  return follow(value, path.match(/\[[^\]]*\]|[^.[\]]+/g) ?? []).flatMap(leaves);
}

function follow(value: unknown, steps: readonly string[]): unknown[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [value];
  return next(value, step).flatMap((each) => follow(each, rest));
}

function next(value: unknown, step: string): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (step === "*" || step === "[*]") return Object.values(value);
  const name = step.startsWith("[") ? step.slice(1, -1) : step;
  const found: unknown = Array.isArray(value)
    ? value.at(Number(name))
    : Object.getOwnPropertyDescriptor(value, name)?.value;
  return found === undefined ? [] : [found];
}

function leaves(value: unknown): string[] {
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(leaves);
  return ["string", "number", "boolean"].includes(typeof value) ? [String(value)] : [];
}
