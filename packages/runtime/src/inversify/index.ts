export { CLOCK, IDS } from "./tokens.ts";
