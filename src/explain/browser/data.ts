/** What the page's script reads of a reading: it stands in the page as JSON. */
export interface ReadingData {
  /** Where each token begins in the text. */
  starts: readonly number[]
  /**
   * After the first token, the second, …, the last of them after all: the most probable classes, as [name, probability].
   * The first is the one that connectivity is of.
   */
  predictions: readonly (readonly (readonly [string, number])[])[]
  /**
   * Connectivity as shares of the strongest, from 0 to 255, in base64: a number for each token that a prediction has seen, of
   * one prediction after the other.
   */
  strengths: string
}
