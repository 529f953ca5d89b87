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
 * a GRU, 1 in an Elman layer. R, the size of h, is H, or P with a projection. From the second layer on, I is
 * R·D.
 */
export interface RecurrentWeights {
  /** [G·H, I] */
  wIh: Matrix
  /** [G·H, R] */
  wHh: Matrix
  /** [G·H]. Either all layers have both biases, or no layer has any. */
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
  /** H, the size of the hidden state in one direction, from 1 to 2²⁴. */
  hiddenSize: number
  /** L, the number of layers, from 1 to 512; default 1. */
  numLayers?: number
  /** Whether each layer also runs in reverse: D is 2 if true, else 1. Default false. */
  bidirectional?: boolean
  /** The probability of dropping an element between layers; default 0. */
  dropout?: number
  /** The dropout mask; required if `dropout` is not 0. */
  mask?: Pick<DropoutPlace, 'seed' | 'step'>
  /** Initial states [L·D, B, R], row layer · D + direction; default zeros. */
  h0?: States | null
  /** Whether to save what a backward pass needs; default true. */
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
   * Where the reset gate is applied. True, the default, is PyTorch's form: n = tanh(W x + b + r ⊙ (U h + b')).
   * False is the form of the paper (Cho et al. 2014): n = tanh(W x + b + U (r ⊙ h) + b').
   */
  resetAfter?: boolean
}

/** Options of a stack of Elman layers. */
export interface RnnOptions extends RecurrentOptions {
  /** The activation φ; default 'tanh'. */
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

/** A kind of layer, with the options that only one kind has. @internal */
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
