/** Words by Zipf's law from a seed: text whose terms are as unevenly common as in language. */
export function randomText(seed: number, vocabulary = 20_000): (words: number) => string {
  let state = seed >>> 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const word = (): string => `w${Math.floor(vocabulary ** random()).toString(36)}x`;
  return (words) => Array.from({ length: words }, word).join(" ");
}
