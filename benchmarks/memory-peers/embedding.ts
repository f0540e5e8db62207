export const DIMENSIONS = 256;

/** Hashes words into a vector: worth nothing as meaning, the same small cost for everybody. */
export function vectorOf(text: string): number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0);
  for (const word of text.split(" ")) {
    let hash = 0;
    for (let at = 0; at < word.length; at++) hash = (Math.imul(hash, 31) + word.charCodeAt(at)) >>> 0;
    const place = hash % DIMENSIONS;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  return vector;
}

/** In LangChain's shape, which two of the peers take. */
export const langchainEmbeddings = {
  embedQuery: async (text: string) => vectorOf(text),
  embedDocuments: async (texts: string[]) => texts.map(vectorOf),
};
