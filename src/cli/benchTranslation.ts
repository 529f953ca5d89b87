import type { Results } from '../bench/results.js'
import type { DecodingResults } from '../bench/translation/decode.js'
import { aligned } from './table.js'

const READ_THIS = `
A training step zeroes the gradients, computes the loss, goes back, clips and runs Adam; each step of the decoder reads the right
word or the model's own, half of them each. Medians of interleaved rounds. Tokens are the target's words with their end marks:
padding never counts. Losses and gradient norms are compared first.`

/** How many sentences a second each participant translates. */
function decodingTable({ sentences, words, same, settings }: DecodingResults): string {
  const agree = same === null ? '' : `; peers write the same words in ${(100 * same).toFixed(1)} % of them`
  const rows = settings.flatMap(({ beams, batch, sides }) => [
    [`  ${beams === 1 ? 'the likeliest word of each step' : `beam ${beams}`}, ${batch} at a time`],
    ...Object.entries(sides).map(([who, side]) => [
      `    ${who}`,
      side.sentencesPerSecond.toFixed(side.sentencesPerSecond < 100 ? 1 : 0),
      side.oursIsFasterBy?.toFixed(2) ?? '',
    ]),
  ])
  const heading = `${sentences} sentences translated, ${words} words each${agree}`
  return aligned([[heading, 'sentences/s', 'ours is faster by'], ...rows])
}

/** For a person: a table for each set of batches. */
export function translationLines({ translation }: Pick<Results, 'translation'>): string[] {
  if (translation === null) return []
  const { about, sentences, sets, decoding, largestError, othersCores, failed } = translation
  const { sourceVocabularySize, targetVocabularySize } = sentences
  const off = largestError === null ? '' : `; peers differ by ${largestError.toExponential(1)}`
  const others = othersCores === null ? '' : `; other processes took ${othersCores.toFixed(1)} cores`
  const rows = Object.values(sets).flatMap(set => [
    [`${set.about}: ${set.batches} batches of ${set.sentences / set.batches} pairs, ${set.tokens} tokens`],
    ...Object.entries(set.sides).map(([who, side]) => [
      `  ${who}`,
      (1000 * side.seconds).toFixed(side.seconds < 0.1 ? 1 : 0),
      String(Math.round(side.tokensPerSecond)),
      side.oursIsFasterBy?.toFixed(2) ?? '',
    ]),
  ])
  return [
    `\ntranslation: ${about}; ${sourceVocabularySize} and ${targetVocabularySize} words: ${sentences.about}${off}${others}${READ_THIS}`,
    aligned([['', 'ms a step', 'tokens/s', 'ours is faster by'], ...rows]),
    decodingTable(decoding),
    ...Object.entries(failed).map(([side, reason]) => `  ${side} was left out: ${reason}`),
  ]
}
