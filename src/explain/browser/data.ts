/** The data of a reading for the page's script, embedded as JSON. */
export interface ReadingData {
  /** The position of each token in the text. */
  starts: readonly number[]
  /**
   * The predictions after the first, second, … token; the last one is the prediction after all tokens. Each has the most
   * probable classes as [name, probability]; the strengths are those of its first class.
   */
  predictions: readonly (readonly (readonly [string, number])[])[]
  /**
   * The strengths in base64, as shares of each prediction's strongest from 0 to 255: a byte per token that the prediction has
   * seen, one prediction after the other.
   */
  strengths: string
}
