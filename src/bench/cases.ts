import { type Preset, presets } from '../training/presets.js'
import type { Pass } from './context.js'

export const INPUT_SIZE = 300

/** Word vectors, recurrent layers, a linear layer on their last states; trained by Adam, their gradients clipped. */
export interface BenchCase
  extends Pick<Preset, 'hiddenSize' | 'numLayers' | 'bidirectional' | 'tuneEmbedding' | 'dropout'> {
  cell: 'lstm' | 'gru' | 'rnn'
  optimizer: { kind: 'adam'; lr: number }
  clip: number
}

// Without dropout, so that losses can be compared: what is random is not the same elsewhere.
const lstm = { ...presets['lstm64-adam'], dropout: 0, cell: 'lstm' } as const

/** A, B and C are the workloads of the presets. */
export const cases = {
  A: lstm,
  B: { ...presets['bilstm128x2-adam'], dropout: 0, cell: 'lstm' },
  C: { ...presets['bilstm64x4-adam'], dropout: 0, cell: 'lstm' },
  GRU: { ...lstm, cell: 'gru' },
  Elman: { ...lstm, cell: 'rnn', hiddenSize: 10 },
} as const satisfies Record<string, BenchCase>

export type CaseName = keyof typeof cases

export const caseNames: readonly CaseName[] = ['A', 'B', 'C', 'GRU', 'Elman']

/** For people. */
export function about({ cell, hiddenSize, numLayers, bidirectional, tuneEmbedding }: BenchCase): string {
  const name = { lstm: 'LSTM', gru: 'GRU', rnn: 'Elman' }[cell]
  const layers = numLayers === 1 ? 'one layer' : `${numLayers} layers`
  const ways = bidirectional ? ', bidirectional' : ''
  return `${name} ${INPUT_SIZE}→${hiddenSize}, ${layers}${ways}, ${tuneEmbedding ? 'tuned' : 'frozen'} vectors`
}

/** The columns of a unit: its gates. */
export const gatesOf = { lstm: 4, gru: 3, rnn: 1 } as const

/** Inputs of layer l. */
export function inputsOf({ hiddenSize, bidirectional }: BenchCase, l: number): number {
  return l === 0 ? INPUT_SIZE : (bidirectional ? 2 : 1) * hiddenSize
}

/**
 * Operations that the recurrent layers' products take for a token, forward, and in a training step: for each weight two,
 * and two more for its gradient, and two for its input's. Vectors that are not trained want no gradient.
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
  // Which states the loss reads changes no product.
  flops.stepLast = flops.step
  return flops
}
