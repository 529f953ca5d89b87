import type { OptionNames } from '../check.js'
import { badArgument } from '../errors.js'

/** A model and the way it is trained. */
export interface Preset {
  /** H */
  hiddenSize: number
  /** L */
  numLayers: number
  bidirectional: boolean
  /** Between layers; where there is one, nothing is dropped. */
  dropout: number
  /** Whether given word vectors are trained too. Vectors that are not given start random and always are. */
  tuneEmbedding: boolean
  optimizer: { kind: 'sgd'; lr: number; momentum: number } | { kind: 'adam'; lr: number }
  /** The most that the 2-norm of the LSTM's gradients may be. */
  clip: number
  batchSize: number
  epochs: number
}

/** Of a preset: it is handed whole to a classifier and to a trainer, which read parts of it. */
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

/** The four experiments of the course notebook, by the size of their LSTM. */
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

/** The name of one of the four. */
export type PresetName = keyof typeof presets

function isPresetName(name: string): name is PresetName {
  return Object.hasOwn(presets, name)
}

/** @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown name. */
export function presetName(name: string): PresetName {
  if (!isPresetName(name))
    throw badArgument('preset', 'name', `one of ${Object.keys(presets).join(', ')}`, name)
  return name
}
