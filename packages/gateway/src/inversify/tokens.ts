export { CLOCK, IDS } from "./binding.ts";
