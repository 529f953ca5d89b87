/** What is timed: training steps and translations of the preset gru-attention. Its settings are the same for all participants. */
import type { Seq2SeqLayers } from '../../models/seq2seq.js'
import { translationPresets } from '../../models/seq2seqPresets.js'

const preset = translationPresets['gru-attention']

/** The sizes of the model, and how much is timed. */
export interface TranslationSizes {
  /** E: numbers per word, on both sides. */
  embeddingDim: number
  /** H: units per direction of the encoder, units of the decoder, and the width of the attention. */
  hiddenSize: number
  /** Sentence pairs in a batch, and batches in a set. */
  batchSize: number
  batches: number
  /** Sentences to translate. */
  sources: number
}

const { embeddingDim, hiddenSize } = preset.layers

export const USUAL: TranslationSizes = {
  embeddingDim,
  hiddenSize,
  batchSize: preset.batchSize,
  batches: 4,
  sources: 64,
}
export const QUICK: TranslationSizes = {
  embeddingDim: 16,
  hiddenSize: 32,
  batchSize: 8,
  batches: 2,
  sources: 6,
}

/** The arguments of a participant's process. */
export interface TranslationConfig {
  threads: number
  /** A JSON file of `Sentences`. */
  batches: string
  /** A safetensors file of the initial parameters, which our process writes. */
  parameters: string
  layers: Seq2SeqLayers
  /** Sizes of the vocabularies. */
  sourceVocabularySize: number
  targetVocabularySize: number
  lr: number
  clip: number
  /** Of timed steps. */
  teacherForcing: number
}

export function configOf(
  sizes: TranslationSizes,
  given: Pick<
    TranslationConfig,
    'threads' | 'batches' | 'parameters' | 'sourceVocabularySize' | 'targetVocabularySize'
  >,
): TranslationConfig {
  const { optimizer, clip, teacherForcing } = preset
  const { embeddingDim, hiddenSize } = sizes
  // The preset starts with numbers so small that every loss is ln V, whatever is computed: a check would compare nothing.
  const layers: Seq2SeqLayers = { ...preset.layers, embeddingDim, hiddenSize, initial: { kind: 'layers' } }
  return { ...given, layers, lr: optimizer.lr, clip, teacherForcing }
}

/** A description for the table. */
export function aboutModel({ embeddingDim: E, hiddenSize: H }: TranslationSizes): string {
  return `words of ${E} numbers, a bidirectional GRU of ${H} units, additive attention, a GRU of ${H} units`
}
