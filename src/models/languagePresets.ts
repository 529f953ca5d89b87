import type { LanguageModelLayers } from './languageModel.js'
import { nameIn } from './presetName.js'

/** A language model, and the way it is trained. */
export interface LanguagePreset {
  layers: LanguageModelLayers
  optimizer:
    | { kind: 'sgd'; lr: number; weightDecay?: number }
    /** AdamW. */
    | { kind: 'adam'; lr: number; weightDecay?: number; betas?: readonly [number, number] }
  /**
   * How the learning rate changes: multiplied by `factor` for each epoch after number `after`; along one cycle over all steps (Smith
   * 2018), with momentums, if they are given; or never.
   */
  schedule:
    | { kind: 'decay'; after: number; factor: number }
    | { kind: 'oneCycle'; momentums?: readonly [number, number] }
    | null
  /**
   * n of NT-ASGD (Merity et al. 2018): parameters are averaged once the validation loss is worse than the best of all but the last n
   * epochs. Null: never.
   */
  averages: number | null
  /** The most that the 2-norm of all gradients may be; null for no bound. */
  clip: number | null
  /** Streams. */
  batchSize: number
  /** Tokens of a window. */
  window: number
  /** Whether the lengths of windows are random. */
  variable: boolean
  epochs: number
  /** Whether a step's gradient is a mean over tokens, or a sum over those of a stream and a mean over streams. */
  reduction: 'tokens' | 'streams'
  /** α of the penalty of the last layer's states. */
  activation: number
  /** β of the penalty of their changes. */
  temporal: number
}

/** As of Zaremba et al. (2014). */
const zaremba = {
  averages: null,
  clip: 5,
  batchSize: 20,
  variable: false,
  reduction: 'streams',
  activation: 0,
  temporal: 0,
  optimizer: { kind: 'sgd', lr: 1 },
} as const

const small = {
  ...zaremba,
  schedule: { kind: 'decay', after: 4, factor: 0.5 },
  window: 20,
  epochs: 13,
} as const

/**
 * Recipes of language models.
 *
 * - `zaremba-small` and `zaremba-medium`: Zaremba, Sutskever and Vinyals 2014.
 * - `lstm-512`: one layer of 512 with dropout, trained as `zaremba-small` with 64 streams.
 * - `awd-lstm`: Merity, Keskar and Socher 2018, with the Penn Treebank settings of their repository.
 * - `fastai-v1`: the language model of fast.ai's first version, with its one-cycle training.
 * - `characters`: a character model of two layers.
 *
 * @example
 * ```ts
 * import { LanguageModel, languagePresets } from 'packed-rnn/models'
 *
 * const { layers } = languagePresets['zaremba-small']
 * console.log(new LanguageModel({ ...layers, vocabularySize: 9 }).rnns.length) // 2
 * ```
 */
export const languagePresets = {
  'zaremba-small': {
    ...small,
    layers: {
      embeddingDim: 200,
      hiddenSize: 200,
      numLayers: 2,
      locked: false,
      initial: { kind: 'uniform', bound: 0.1 },
    },
  },
  'zaremba-medium': {
    ...zaremba,
    schedule: { kind: 'decay', after: 6, factor: 1 / 1.2 },
    window: 35,
    epochs: 39,
    layers: {
      embeddingDim: 650,
      hiddenSize: 650,
      numLayers: 2,
      locked: false,
      dropout: { input: 0.5, hidden: 0.5, output: 0.5 },
      initial: { kind: 'uniform', bound: 0.05 },
    },
  },
  'lstm-512': {
    ...small,
    batchSize: 64,
    layers: {
      embeddingDim: 512,
      hiddenSize: 512,
      numLayers: 1,
      locked: false,
      dropout: { input: 0.5, output: 0.5 },
      initial: { kind: 'uniform', bound: 0.1 },
    },
  },
  'awd-lstm': {
    layers: {
      embeddingDim: 400,
      hiddenSize: 1150,
      numLayers: 3,
      tied: true,
      dropout: { words: 0.1, input: 0.4, hidden: 0.25, output: 0.4, weights: 0.5 },
    },
    optimizer: { kind: 'sgd', lr: 30, weightDecay: 1.2e-6 },
    schedule: null,
    averages: 5,
    clip: 0.25,
    batchSize: 20,
    window: 70,
    variable: true,
    epochs: 500,
    reduction: 'tokens',
    activation: 2,
    temporal: 1,
  },
  'fastai-v1': {
    layers: {
      embeddingDim: 400,
      hiddenSize: 1152,
      numLayers: 3,
      tied: true,
      dropout: { words: 0.02, input: 0.25, hidden: 0.15, output: 0.1, weights: 0.2 },
    },
    optimizer: { kind: 'adam', lr: 2e-2, weightDecay: 0.01, betas: [0.8, 0.99] },
    schedule: { kind: 'oneCycle', momentums: [0.8, 0.7] },
    averages: null,
    clip: null,
    batchSize: 64,
    window: 70,
    variable: false,
    epochs: 1,
    reduction: 'tokens',
    activation: 2,
    temporal: 1,
  },
  characters: {
    layers: {
      embeddingDim: 64,
      hiddenSize: 256,
      numLayers: 2,
      dropout: { hidden: 0.3, output: 0.3 },
    },
    optimizer: { kind: 'adam', lr: 4e-3 },
    schedule: { kind: 'oneCycle' },
    averages: null,
    clip: 1,
    batchSize: 32,
    window: 100,
    variable: false,
    epochs: 12,
    reduction: 'tokens',
    activation: 0,
    temporal: 0,
  },
} as const satisfies Record<string, LanguagePreset>

/** The name of a language model's preset. */
export type LanguagePresetName = keyof typeof languagePresets

/** @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown name. */
export function languagePresetName(name: string): LanguagePresetName {
  return nameIn(languagePresets, name)
}
