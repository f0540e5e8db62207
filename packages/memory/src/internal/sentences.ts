export const sentencesOf = (text: string): string[] => text.split(/(?<=[.!?])\s+|\n+/).slice(0, 1_000);
