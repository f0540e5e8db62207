import type { Json } from "../dialect.ts";
import type { SessionEvent } from "../session-event.ts";

type Fields = { readonly [key: string]: Json };

const isFields = (value: Json | undefined): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** In the order in which they say most about an event. */
const telling = [
  "name",
  "tool",
  "agent",
  "model",
  "status",
  "reason",
  "text",
  "message",
  "content",
  "answer",
  "arguments",
  "args",
  "input",
  "result",
  "output",
  "error",
  "value",
];

/** What an event says, in one line, whatever its type: the telling fields of its body first. */
export function eventLine({ body, blob }: SessionEvent): string {
  if (blob !== undefined) return `${blob.mediaType}, ${blob.bytes} bytes in ${blob.key}`;
  if (body === undefined || body === null) return "";
  if (!isFields(body)) return brief(body);
  const known = telling.filter((key) => body[key] !== undefined);
  const others = Object.keys(body).filter((key) => !telling.includes(key));
  return [...known, ...others]
    .slice(0, 6)
    .map((key) => [key, brief(body[key])] as const)
    .filter(([, value]) => value !== "")
    .map(([key, value]) =>
      key === "text" || key === "message" || key === "name" || key === "content" ? value : `${key}=${value}`,
    )
    .join(" ");
}

function brief(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((part) => isFields(part) && typeof part.text === "string")) {
    return value.map((part) => (part as { text: string }).text).join(" ");
  }
  if (isFields(value) && typeof value.text === "string") return value.text;
  return JSON.stringify(value);
}
