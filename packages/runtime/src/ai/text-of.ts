import type { Json } from "../dialect.ts";

/** A message's text: a string, `{ text }`, content parts, or an outcome's description. */
export function textOf(body: Json): string {
  if (typeof body === "string") return body;
  if (Array.isArray(body)) return body.map(textOf).join("\n");
  const { text, content, description } = (body ?? {}) as { readonly [key: string]: Json };
  if (typeof text === "string") return text;
  if (content !== undefined) return textOf(content);
  return typeof description === "string" ? description : JSON.stringify(body);
}
