/** What the page's script reads of a reading: it stands in the page as JSON. */
export interface ReadingData {
  /** Where each of the T tokens begins in the text. */
  starts: readonly number[]
  /** After each token: the most probable classes, the first of which the connectivity is of, as [name, probability]. */
  predictions: readonly (readonly (readonly [string, number])[])[]
  /**
   * Connectivity as shares of the strongest, from 0 to 255, in base64: of the first token's prediction 1 number, of the
   * second's 2, …, T (T + 1) / 2 in all.
   */
  strengths: string
}
