import { createHash } from "node:crypto";

export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/** `now` is the caller's clock where one was given, else the server's. Instants are kept as text: Lua would cut them. */
const PRELUDE = `
local function exact(number) return string.format('%.17g', number) end
local function now_of(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

export const script = (...parts: readonly string[]): Script => {
  const source = PRELUDE + parts.join("");
  return { source, sha1: createHash("sha1").update(source).digest("hex") };
};
