/** One event of `text/event-stream`. Line breaks in `data` become several data lines; names and ids may have none. */
export function sseEvent({
  event,
  id,
  data,
}: {
  readonly event?: string;
  readonly id?: string;
  readonly data: string;
}): string {
  const name = event === undefined ? "" : `event: ${oneLine(event)}\n`;
  const place = id === undefined ? "" : `id: ${oneLine(id)}\n`;
  return `${name}${place}data: ${data.replaceAll(/\r\n|\r|\n/g, "\ndata: ")}\n\n`;
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n\0]/g, "");

export const sseHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

export interface ServerSentEvent {
  readonly event?: string;
  readonly id?: string;
  readonly data: string;
}

/** Reads `text/event-stream` by the WHATWG rules, whatever the chunks. Throws over `maxEventBytes` of one event. */
export async function* readSse(
  stream: ReadableStream<Uint8Array>,
  maxEventBytes: number = 16 * 1024 * 1024,
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let event: string | undefined;
  let id: string | undefined;
  let data: string[] = [];
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > maxEventBytes) throw new RangeError("An event of the stream is over the cap.");
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) {
          yield {
            data: data.join("\n"),
            ...(event === undefined ? {} : { event }),
            ...(id === undefined ? {} : { id }),
          };
        }
        event = undefined;
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") data.push(value);
      else if (field === "event") event = value;
      else if (field === "id" && !value.includes("\0")) id = value;
    }
  }
}
