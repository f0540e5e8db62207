import { stemmer } from "stemmer";

/** Words too common to tell one text from another. */
const stopWords = new Set(
  `a about above after again against all am an and any are as at be because been before being below between both but
  by can could did do does doing don down during each few for from further had has have having he her here hers him
  himself his how i if in into is it its itself just me more most my myself no nor not now of off on once only or
  other our ours out over own s same she should so some such t than that the their theirs them then there these they
  this those through to too under until up very was we were what when where which while who whom why will with would
  you your yours ve ll d m re`.split(/\s+/),
);

/** Stems are costly and words repeat. */
const stems = new Map<string, string>();
const MOST_STEMS = 50_000;

const words = /[\p{L}\p{N}\p{M}]+/gu;
const ascii = /^[\0-\x7f]*$/;
const accents = /[\u0300-\u036f]+/g;
/** Direction marks, joiners and soft hyphens: nobody sees them, so no word is cut by them. */
const unseen = /\p{Cf}+/gu;
/** Scripts written without spaces: a run of them is read as overlapping pairs. */
const unspaced =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+$/u;

/** Lower-case words, without accents and compatibility forms: `Café` and `CAFE` are one word. */
export function wordsOf(text: string): string[] {
  const plain = ascii.test(text) ? text.toLowerCase() : folded(text);
  return (plain.match(words) ?? []).flatMap((word) => (unspaced.test(word) ? pairs(word) : [word]));
}

/** The terms of the index: Porter stems, stop words left out, words cut at 64 characters. */
export function termsOf(text: string): string[] {
  const terms: string[] = [];
  for (const word of wordsOf(text)) {
    if (!stopWords.has(word)) terms.push(stemOf(word.slice(0, 64)));
  }
  return terms;
}

const folded = (text: string): string =>
  text.normalize("NFKD").replace(accents, "").replace(unseen, "").normalize("NFC").toLowerCase();

function stemOf(word: string): string {
  const known = stems.get(word);
  if (known !== undefined) return known;
  if (stems.size >= MOST_STEMS) stems.clear();
  const stem = stemmer(word);
  stems.set(word, stem);
  return stem;
}

function pairs(word: string): string[] {
  const characters = [...word];
  if (characters.length === 1) return characters;
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}
