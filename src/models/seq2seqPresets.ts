import { nameIn } from './presetName.js'
import type { Seq2SeqLayers } from './seq2seq.js'

/** A translation model, and the way it is trained. */
export interface TranslationPreset {
  layers: Seq2SeqLayers
  optimizer: { kind: 'sgd' | 'adam'; lr: number }
  /** The most that the 2-norm of all gradients may be; null for no bound. */
  clip: number | null
  /** Sentence pairs in a batch. */
  batchSize: number
  epochs: number
  /** The probability that a step of training reads the target's word rather than the model's. */
  teacherForcing: number
  /** Whether a step's gradient is a mean over words or over sentences; default words. */
  reduction?: 'words' | 'sentences'
  /** Words that are rarer in the training text are unknown. */
  minFrequency: number
}

const multi30k = {
  optimizer: { kind: 'adam', lr: 1e-3 },
  clip: 1,
  batchSize: 128,
  epochs: 10,
  teacherForcing: 0.5,
  minFrequency: 2,
} as const

const sizes = { embeddingDim: 256, hiddenSize: 512, dropout: 0.5 } as const

/**
 * Recipes. The first three are those of Trevett's tutorials on Multi30k (their models follow Sutskever et al. 2014, Cho et al.
 * 2014 and Bahdanau et al. 2015); the last two are PyTorch's translation tutorial, as it was until 2023 and as it is now.
 *
 * @example
 * ```ts
 * import { Seq2Seq, translationPresets } from 'packed-rnn/models'
 *
 * const { layers } = translationPresets['gru-attention']
 * const sizes = { sourceVocabularySize: 20, targetVocabularySize: 10, hiddenSize: 8, embeddingDim: 4 }
 * console.log(new Seq2Seq({ ...layers, ...sizes }).output.weight.shape) // [10, 28]
 * ```
 */
export const translationPresets = {
  lstm: {
    ...multi30k,
    layers: {
      ...sizes,
      cell: 'lstm',
      decoder: 'plain',
      numLayers: 2,
      initial: { kind: 'uniform', bound: 0.08 },
    },
  },
  'gru-context': {
    ...multi30k,
    layers: { ...sizes, cell: 'gru', decoder: 'context', initial: { kind: 'normal', std: 0.01 } },
  },
  'gru-attention': {
    ...multi30k,
    layers: {
      ...sizes,
      cell: 'gru',
      decoder: 'bahdanau',
      bidirectional: true,
      initial: { kind: 'normal', std: 0.01, zeroBias: true },
    },
  },
  'tutorial-2017': {
    layers: {
      cell: 'gru',
      decoder: 'tutorial',
      embeddingDim: 256,
      hiddenSize: 256,
      dropout: 0.1,
      maxLength: 10,
    },
    optimizer: { kind: 'sgd', lr: 0.01 },
    clip: null,
    batchSize: 1,
    epochs: 7,
    teacherForcing: 0.5,
    reduction: 'sentences',
    minFrequency: 1,
  },
  'tutorial-2023': {
    layers: {
      cell: 'gru',
      decoder: 'bahdanau',
      deepOutput: false,
      embeddingDim: 128,
      hiddenSize: 128,
      dropout: 0.1,
    },
    optimizer: { kind: 'adam', lr: 1e-3 },
    clip: null,
    batchSize: 32,
    epochs: 80,
    teacherForcing: 1,
    minFrequency: 1,
  },
} as const satisfies Record<string, TranslationPreset>

/** The name of a translation preset. */
export type TranslationPresetName = keyof typeof translationPresets

/** @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown name. */
export function translationPresetName(name: string): TranslationPresetName {
  return nameIn(translationPresets, name)
}
