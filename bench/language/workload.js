// What the language model bench computes, for both sides.
import { basename } from 'node:path'
import { readText } from '../../dist/files/read.js'
import { languagePresets } from '../../dist/models/index.js'
import { Generator } from '../../dist/random.js'
import { MarkedVocabulary, tokenizers } from '../../dist/text/index.js'
import { lines } from '../../dist/text/lines.js'

const WORDS = 10_002
const LENGTH = 200_000
const small = { embeddingDim: 12, hiddenSize: 16, batchSize: 4, window: 10 }

/** The words of each line of a text. */
export async function readLines(file) {
  const text = []
  for await (const line of lines(readText(file))) text.push(tokenizers.whitespace(line))
  return text
}

/** A vocabulary of the most frequent words; the others are one. */
export const vocabularyOf = text => MarkedVocabulary.fromDocuments(text, { maxWords: WORDS - 3 })

/** The ids of a text, with a mark behind each line. */
export const idsOf = (text, vocabulary) => text.flatMap(line => [...vocabulary.encode(line, { end: true })])

/** A text, and how many words it has. */
export async function readWords(file) {
  const text = await readLines(file)
  const vocabulary = vocabularyOf(text)
  return { about: basename(file), ids: idsOf(text, vocabulary), vocabularySize: vocabulary.size }
}

/** Words in random order: word k occurs with a probability proportional to 1 / (k + 1). */
export function inventWords(vocabularySize = WORDS) {
  const generator = new Generator(1)
  const word = () => Math.min(Math.floor(vocabularySize ** generator.uniform()) - 1, vocabularySize - 1)
  return { about: 'invented words', ids: Array.from({ length: LENGTH }, word), vocabularySize }
}

/**
 * The configuration of a side's process.
 *
 * @param {'zaremba-small' | 'awd-lstm'} name
 */
export function configOf(name, { ids, vocabularySize }, { threads, folder, steps, quick }) {
  const preset = languagePresets[name]
  const { batchSize = preset.batchSize, window = preset.window, ...width } = quick ? small : {}
  const count = batchSize * (2 * window * steps + 1)
  if (ids.length < count) throw new Error(`--text: wanted at least ${count} words, got ${ids.length}`)
  return {
    ...{ name, threads, vocabularySize, batchSize, window, variable: preset.variable },
    layers: { ...preset.layers, ...width },
    // At the presets' own rates the losses jump, and rounding errors grow tenfold every few steps.
    checkedLr: preset.optimizer.lr / 10,
    ...{ lr: preset.optimizer.lr, weightDecay: preset.optimizer.weightDecay ?? 0, clip: preset.clip },
    ...{ reduction: preset.reduction, activation: preset.activation, temporal: preset.temporal },
    text: ids.slice(0, count),
    parameters: `${folder}/${name}.safetensors`,
    masks: `${folder}/${name}.masks.safetensors`,
  }
}
