export interface Contender {
  add(scope: number, texts: readonly string[]): Promise<unknown>;
  /** What has to be done between writing and searching. */
  ready(): Promise<unknown>;
  /** The ten best texts. */
  search(scope: number, text: string): Promise<readonly string[]>;
}
