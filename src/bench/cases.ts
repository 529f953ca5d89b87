import { type Preset, presets } from '../models/presets.js'
import type { Pass } from './passes.js'

export const INPUT_SIZE = 300

/** A model of word vectors, recurrent layers, and a linear layer on their last states, trained by Adam with clipped gradients. */
export interface BenchCase
  extends Pick<Preset, 'hiddenSize' | 'numLayers' | 'bidirectional' | 'tuneEmbedding' | 'dropout'> {
  cell: 'lstm' | 'gru' | 'rnn'
  optimizer: { kind: 'adam'; lr: number }
  clip: number
}

// Without dropout, because the random masks of peers differ and losses could not be compared.
const lstm = { ...presets['lstm64-adam'], dropout: 0, cell: 'lstm' } as const

/** The models. A, B and C are the presets' workloads. */
export const cases = {
  A: lstm,
  B: { ...presets['bilstm128x2-adam'], dropout: 0, cell: 'lstm' },
  C: { ...presets['bilstm64x4-adam'], dropout: 0, cell: 'lstm' },
  GRU: { ...lstm, cell: 'gru' },
  Elman: { ...lstm, cell: 'rnn', hiddenSize: 10 },
} as const satisfies Record<string, BenchCase>

export type CaseName = keyof typeof cases

export const caseNames: readonly CaseName[] = ['A', 'B', 'C', 'GRU', 'Elman']

/** A description for the log. */
export function about({ cell, hiddenSize, numLayers, bidirectional, tuneEmbedding }: BenchCase): string {
  const name = { lstm: 'LSTM', gru: 'GRU', rnn: 'Elman' }[cell]
  const layers = numLayers === 1 ? 'one layer' : `${numLayers} layers`
  const ways = bidirectional ? ', bidirectional' : ''
  return `${name} ${INPUT_SIZE}→${hiddenSize}, ${layers}${ways}, ${tuneEmbedding ? 'tuned' : 'frozen'} vectors`
}

/** Gates per unit. */
export const gatesOf = { lstm: 4, gru: 3, rnn: 1 } as const

/** The number of inputs of layer l. */
export function inputsOf({ hiddenSize, bidirectional }: BenchCase, l: number): number {
  return l === 0 ? INPUT_SIZE : (bidirectional ? 2 : 1) * hiddenSize
}

/**
 * Operations per token of the recurrent layers' matrix products, in a forward pass and in a training step: two per weight,
 * two more for the weight's gradient, and two for the input's. Frozen vectors need no gradient.
 */
export function flopsOf(spec: BenchCase): Record<Pass, number> {
  const { cell, hiddenSize: H, numLayers, bidirectional, tuneEmbedding } = spec
  const flops = { forward: 0, step: 0, stepLast: 0 }
  for (let l = 0; l < numLayers; l++) {
    const inputs = inputsOf(spec, l)
    const columns = (bidirectional ? 2 : 1) * gatesOf[cell] * H
    const passes = l === 0 && !tuneEmbedding ? 2 : 3
    flops.forward += 2 * columns * (inputs + H)
    flops.step += 2 * columns * (passes * inputs + 3 * H)
  }
  // The states that the loss reads do not change the products.
  flops.stepLast = flops.step
  return flops
}
