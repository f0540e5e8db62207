const NUL = "\0";
const MARK = "\x01";

/** PostgreSQL's text holds every character but NUL. */
export const storable = (text: string): string =>
  text.includes(NUL) || text.includes(MARK) ? text.replaceAll(MARK, `${MARK}1`).replaceAll(NUL, `${MARK}0`) : text;

export const original = (text: string): string =>
  text.includes(MARK) ? text.replaceAll(`${MARK}0`, NUL).replaceAll(`${MARK}1`, MARK) : text;
