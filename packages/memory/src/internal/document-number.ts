/**
 * Where an indexed passage stands, as one safe integer for the index: 23 bits of group (a session's branch), 21 of
 * position in it, 8 of passage in the text, 1 that says whether the text asks a question.
 */
export interface Place {
  readonly group: number;
  readonly position: number;
  readonly passage: number;
  readonly question: boolean;
}

const POSITIONS = 2 ** 21;
const PASSAGES = 2 ** 8;

export const MOST_GROUPS: number = 2 ** 23;
export const MOST_POSITIONS: number = POSITIONS;
export const MOST_PASSAGES: number = PASSAGES;

export const numberOf = ({ group, position, passage, question }: Place): number =>
  ((group * POSITIONS + position) * PASSAGES + passage) * 2 + (question ? 1 : 0);

/** The text's own number, the same for all of its passages: `group * 2^21 + position`. */
export const textOf = (document: number): number => Math.floor(document / (2 * PASSAGES));

export const asksQuestion = (document: number): boolean => document % 2 === 1;

export const textNumber = (group: number, position: number): number => group * POSITIONS + position;
export const groupOf = (text: number): number => Math.floor(text / POSITIONS);
export const positionOf = (text: number): number => text % POSITIONS;
