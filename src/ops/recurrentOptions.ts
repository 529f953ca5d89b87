import { checkInteger, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { cells } from '../native.js'
import type { Matrix, Tensor, Vector } from '../tensor.js'
import type { DropoutPlace } from './dropout.js'

/** The weights and options of the recurrent ops. */

/**
 * States [L·D, B, …]: row l · D + d is layer l in direction d, 0 forward and 1 reverse, for each of B
 * sequences.
 */
export type States = Tensor<'float32', 3>

/**
 * The weights of one layer and direction. G is the number of gates: 4 (i, f, g, o) in an LSTM, 3 (r, z, n) in
 * a GRU, 1 in an Elman layer. R, the size of h, is H, or P with a projection. I is R·D from the second layer
 * on.
 */
export interface RecurrentWeights {
  /** [G·H, I] */
  wIh: Matrix
  /** [G·H, R] */
  wHh: Matrix
  /** [G·H]; either all layers have both biases, or none has any. */
  bIh?: Vector | null
  /** [G·H] */
  bHh?: Vector | null
}

/** The weights of one layer and direction of an LSTM. */
export interface LstmWeights extends RecurrentWeights {
  /** [P, H], in an LSTM with `projSize` P. */
  wHr?: Matrix | null
}

/** Options of a stack of recurrent layers. */
export interface RecurrentOptions {
  /** H, the units of a layer in one direction: from 1 to 2²⁴. */
  hiddenSize: number
  /** L, from 1 to 512; default 1. */
  numLayers?: number
  /** D is 2 if true; default false. */
  bidirectional?: boolean
  /** Probability of dropping an element between layers; default 0. */
  dropout?: number
  /** The dropout mask; required if `dropout` is not 0. */
  mask?: Pick<DropoutPlace, 'seed' | 'step'>
  /** Initial states [L·D, B, R], row layer · D + direction; default zeros. */
  h0?: States | null
  /** Whether a backward pass will follow; default true. Otherwise nothing is saved for it. */
  train?: boolean
}

/** Options of a stack of LSTM layers. */
export interface LstmOptions extends RecurrentOptions {
  /** Initial cell states [L·D, B, H]; default zeros. */
  c0?: States | null
  /** P, the size of h = wHr (o ⊙ tanh c); default 0, no projection. */
  projSize?: number
}

/** Options of a stack of GRU layers. */
export interface GruOptions extends RecurrentOptions {
  /**
   * Where the reset gate acts. True, PyTorch's form and the default: n = tanh(W x + b + r ⊙ (U h + b')).
   * False, the original paper's (Cho et al. 2014): n = tanh(W x + b + U (r ⊙ h) + b').
   */
  resetAfter?: boolean
}

/** Options of a stack of Elman layers. */
export interface RnnOptions extends RecurrentOptions {
  /** φ; default 'tanh'. */
  nonlinearity?: 'tanh' | 'relu'
}

const names: OptionNames<RecurrentOptions> = {
  hiddenSize: true,
  numLayers: true,
  bidirectional: true,
  dropout: true,
  mask: true,
  h0: true,
  train: true,
}
const lstmNames: OptionNames<LstmOptions> = { ...names, c0: true, projSize: true }
const gruNames: OptionNames<GruOptions> = { ...names, resetAfter: true }
const rnnNames: OptionNames<RnnOptions> = { ...names, nonlinearity: true }

/** A kind of layer, and what only one kind has. @internal */
export interface Kind {
  name: 'lstm' | 'gru' | 'rnn'
  cell: number
  gates: number
  /** P; 0 without a projection. */
  projSize: number
  c0: States | null
}

/** @internal */
export function lstmKind(options: LstmOptions): Kind {
  checkOptions('lstmForward', options, lstmNames)
  const { projSize = 0, hiddenSize, c0 = null } = options
  checkInteger('lstmForward', 'projSize', projSize, 0, Math.max(0, hiddenSize - 1))
  return { name: 'lstm', cell: cells.lstm, gates: 4, projSize, c0 }
}

/** @internal */
export function gruKind(options: GruOptions): Kind {
  checkOptions('gruForward', options, gruNames)
  const { resetAfter = true } = options
  return { name: 'gru', cell: resetAfter ? cells.gru : cells.resetFirstGru, gates: 3, projSize: 0, c0: null }
}

/** @internal */
export function rnnKind(options: RnnOptions): Kind {
  checkOptions('rnnForward', options, rnnNames)
  const { nonlinearity = 'tanh' } = options
  if (nonlinearity !== 'tanh' && nonlinearity !== 'relu') {
    throw badArgument('rnnForward', 'nonlinearity', "'tanh' or 'relu'", nonlinearity)
  }
  const cell = nonlinearity === 'tanh' ? cells.elmanTanh : cells.elmanRelu
  return { name: 'rnn', cell, gates: 1, projSize: 0, c0: null }
}
