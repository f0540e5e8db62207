/**
 * `pattern.exec` for what may hold a secret. `RegExp` keeps the last text that was matched for all code of the process
 * (`RegExp.$_`, for as long as nothing else matches): another text takes its place at once.
 */
export function matchSecret(pattern: RegExp, text: string): RegExpExecArray | null {
  const match = pattern.exec(text);
  /^/.exec("");
  return match;
}
