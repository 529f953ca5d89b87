import type { Hypothesis } from '../../src/decoding/index.js'
import type { Probabilities } from './models.js'

/** All texts of a sentence, scored in float64. */

export interface Wanted {
  end: number | null
  maxLength: number
  /** Of so many tokens, the end mark included. */
  penalty?: (tokens: number) => number
  /** What is added to the score of a text that asked for these tokens: the begin mark, and all but its last. */
  coverage?: (asked: readonly number[]) => number
}

/** All texts, the best first: those that ended before those that were cut. */
export function allTexts(model: Probabilities, sentence: number, wanted: Wanted): Hypothesis[] {
  const { end, maxLength, penalty = () => 1, coverage = () => 0 } = wanted
  const found: Hypothesis[] = []
  const extend = (tokens: number[], logProbability: number): void => {
    for (const [token, value] of model.after(sentence, tokens).entries()) {
      const length = tokens.length + 1
      const total = logProbability + value
      const score = total / penalty(length) + coverage([0, ...tokens])
      if (token === end) found.push({ tokens, logProbability: total, ended: true, score })
      else if (length < maxLength) extend([...tokens, token], total)
      else found.push({ tokens: [...tokens, token], logProbability: total, ended: false, score })
    }
  }
  extend([], 0)
  return found.sort((a, b) => Number(b.ended) - Number(a.ended) || b.score - a.score)
}
