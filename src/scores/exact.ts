import { checkPairs } from './sentences.js'

/**
 * Counts the hypotheses that equal their reference, character by character. Divided by the number of sentences it is the
 * accuracy that inflection and transliteration are measured by. The counts of several calls can be added up.
 *
 * @param references as many as hypotheses.
 * @throws PackedRnnError ERR_SHAPE for another number of references, ERR_INVALID_ARGUMENT for hypotheses that are not strings.
 *
 * @example
 * ```ts
 * import { exactMatches } from 'packed-rnn/scores'
 *
 * console.log(exactMatches(['ging', 'läuft', 'sah'], ['ging', 'lief', 'sah'])) // 2
 * ```
 */
export function exactMatches(hypotheses: readonly string[], references: readonly string[]): number {
  checkPairs('exactMatches', hypotheses, references)
  return hypotheses.filter((text, i) => text === references[i]).length
}
