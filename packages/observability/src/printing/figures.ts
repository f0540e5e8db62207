import type { Price } from "../pricing.ts";

/** `0.4 ms`, `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 2 min`, `2 d 3 h`. */
export function duration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

/** `0.0042 USD`: enough digits that a cheap call does not read as free. */
export function money({ micros, currency }: Price): string {
  const units = micros / 1_000_000;
  const digits = units === 0 || units >= 1 ? 2 : Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(units))));
  return `${units.toFixed(digits)} ${currency}`;
}
