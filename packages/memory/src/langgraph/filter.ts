const operators: Readonly<Record<string, (value: unknown, asked: unknown) => boolean>> = {
  $eq: (value, asked) => value === asked,
  $ne: (value, asked) => value !== asked,
  $gt: (value, asked) => Number(value) > Number(asked),
  $gte: (value, asked) => Number(value) >= Number(asked),
  $lt: (value, asked) => Number(value) < Number(asked),
  $lte: (value, asked) => Number(value) <= Number(asked),
  $in: (value, asked) => Array.isArray(asked) && asked.includes(value),
  $nin: (value, asked) => !Array.isArray(asked) || !asked.includes(value),
};

/** LangGraph's filters: a value that the field must equal, or operators that it must meet. */
export function meets(item: Readonly<Record<string, unknown>>, filter: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(filter).every(([field, asked]) => {
    const value = Object.hasOwn(item, field) ? item[field] : undefined;
    if (typeof asked !== "object" || asked === null) return value === asked;
    const conditions = Object.entries(asked);
    return conditions.every(([name, operand]) => operators[name]?.(value, operand) ?? false);
  });
}
