import type { OptionNames } from '../check.js'
import { nameIn } from './presetName.js'

/** The size of a classifier, and the options of its training. */
export interface Preset {
  /** H, the size of the hidden state. */
  hiddenSize: number
  /** L, the number of layers. */
  numLayers: number
  /** Whether layers run in both directions. */
  bidirectional: boolean
  /** The probability of dropout between layers; it has no effect with one layer. */
  dropout: number
  /** Whether given word vectors are trained. Vectors that are initialized randomly are always trained. */
  tuneEmbedding: boolean
  /** The optimiser and its options. */
  optimizer: { kind: 'sgd'; lr: number; momentum: number } | { kind: 'adam'; lr: number }
  /** The largest 2-norm of the LSTM's gradients. */
  clip: number
  /** The number of documents in a batch. */
  batchSize: number
  /** The number of epochs. */
  epochs: number
}

/** The names in a preset. A classifier and a trainer accept a whole preset, and each uses a part of it. */
export const presetNames: OptionNames<Preset> = {
  hiddenSize: true,
  numLayers: true,
  bidirectional: true,
  dropout: true,
  tuneEmbedding: true,
  optimizer: true,
  clip: true,
  batchSize: true,
  epochs: true,
}

type OptimizerOptions<K> = Extract<Preset['optimizer'], { kind: K }>
export const sgdNames: OptionNames<OptimizerOptions<'sgd'>> = { kind: true, lr: true, momentum: true }
export const adamNames: OptionNames<OptimizerOptions<'adam'>> = { kind: true, lr: true }

const common = { dropout: 0.01, clip: 1, batchSize: 256, epochs: 100 }
const adam = { kind: 'adam', lr: 0.01 } as const

/** The four experiments of the course notebook, named after the size of their LSTM and their optimiser. */
export const presets = {
  'lstm64-sgd': {
    ...common,
    hiddenSize: 64,
    numLayers: 1,
    bidirectional: false,
    tuneEmbedding: false,
    optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9 },
  },
  'lstm64-adam': {
    ...common,
    hiddenSize: 64,
    numLayers: 1,
    bidirectional: false,
    tuneEmbedding: false,
    optimizer: adam,
  },
  'bilstm128x2-adam': {
    ...common,
    hiddenSize: 128,
    numLayers: 2,
    bidirectional: true,
    tuneEmbedding: true,
    optimizer: adam,
  },
  'bilstm64x4-adam': {
    ...common,
    hiddenSize: 64,
    numLayers: 4,
    bidirectional: true,
    tuneEmbedding: true,
    optimizer: adam,
  },
} as const satisfies Record<string, Preset>

/** The name of a preset. */
export type PresetName = keyof typeof presets

/** @throws PackedRnnError ERR_INVALID_ARGUMENT if the name is unknown. */
export function presetName(name: string): PresetName {
  return nameIn(presets, name)
}
