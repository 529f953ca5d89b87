import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkTensor,
  isTensorOf,
  type OptionNames,
} from '../check.js'
import type { Device } from '../device.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { cells } from '../native.js'
import type { PackedSequence, RowIndex, Sequences } from '../packed.js'
import { outlive } from '../scope.js'
import type { Matrix, Tensor, Vector } from '../tensor.js'
import type { DropoutPlace } from './dropout.js'
import { checkPacked } from './rows.js'

/** What the recurrent ops are given, checked, and what they keep for a backward pass. */

/** States [L·D, B, …]: of layer l in direction d, 0 forward and 1 reverse, row l · D + d; of each of B sequences. */
export type States = Tensor<'float32', 3>

/**
 * The weights of one layer and direction. G is the number of gates: 4 (i, f, g, o) of an LSTM, 3 (r, z, n) of a GRU,
 * 1 of an Elman layer. R, the size of h, is H, or P where there is a projection. I is R·D from the second layer on.
 */
export interface RecurrentWeights {
  /** [G·H, I] */
  wIh: Matrix
  /** [G·H, R] */
  wHh: Matrix
  /** [G·H]; all layers have both biases, or none has any. */
  bIh?: Vector | null
  /** [G·H] */
  bHh?: Vector | null
}

/** The weights of one layer and direction of an LSTM. */
export interface LstmWeights extends RecurrentWeights {
  /** [P, H], of an LSTM with `projSize` P. */
  wHr?: Matrix | null
}

/** What every stack of recurrent layers is told. */
export interface RecurrentOptions {
  /** H, the units of a layer in one direction: from 1 to 2²⁴. */
  hiddenSize: number
  /** L, from 1 to 512; default 1. */
  numLayers?: number
  /** D is 2 if true; default false. */
  bidirectional?: boolean
  /** Probability of dropping an element between layers; default 0. */
  dropout?: number
  /** Which mask; wanted where `dropout` is not 0. */
  mask?: Pick<DropoutPlace, 'seed' | 'step'>
  /** Initial states [L·D, B, R], row layer · D + direction; default zeros. */
  h0?: States | null
  /** Whether a backward pass will follow; default true. Without, nothing is saved. */
  train?: boolean
}

/** What a stack of LSTM layers is told. */
export interface LstmOptions extends RecurrentOptions {
  /** Initial cell states [L·D, B, H]; default zeros. */
  c0?: States | null
  /** P: h is wHr (o ⊙ tanh c), of this size; default 0, no projection. */
  projSize?: number
}

/** What a stack of GRU layers is told. */
export interface GruOptions extends RecurrentOptions {
  /**
   * Where the reset gate acts: n = tanh(W x + b + r ⊙ (U h + b')) if true (PyTorch's, the default), or
   * n = tanh(W x + b + U (r ⊙ h) + b') if false (the original paper's, Cho et al. 2014).
   */
  resetAfter?: boolean
}

/** What a stack of Elman layers is told. */
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

/** @internal */
export interface Kind {
  name: 'lstm' | 'gru' | 'rnn'
  cell: number
  gates: number
  /** P, or 0 */
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

/** @internal */
export interface RecurrentShape {
  kind: Kind
  sequences: Sequences
  inputSize: number
  hiddenSize: number
  /** R */
  stateSize: number
  numLayers: number
  directions: 1 | 2
  bias: boolean
}

/** @internal */
export interface Layer {
  input: Matrix
  index: RowIndex | null
  output: Matrix
  saved: Vector
  /** The mask on the output, of every layer but the last. */
  mask: DropoutPlace | null
}

/** What a backward pass needs of its forward pass. It holds memory until it is used or disposed. */
export class RecurrentSaved {
  /** @internal */
  readonly shape: RecurrentShape
  /** @internal */
  readonly weights: readonly LstmWeights[]
  /** @internal */
  readonly h0: States | null
  /** @internal */
  readonly c0: States | null
  /** @internal */
  readonly layers: readonly Layer[]
  /** @internal */
  readonly dropout: number
  #used = false

  /** @internal Holds what it is given, also when the caller disposes it. */
  constructor(
    shape: RecurrentShape,
    weights: readonly LstmWeights[],
    h0: States | null,
    layers: readonly Layer[],
    dropout: number,
  ) {
    this.shape = shape
    this.dropout = dropout
    this.weights = weights.map(({ wIh, wHh, bIh, bHh, wHr }) => ({
      wIh: hold(wIh),
      wHh: hold(wHh),
      bIh: bIh ? hold(bIh) : null,
      bHh: bHh ? hold(bHh) : null,
      wHr: wHr ? hold(wHr) : null,
    }))
    this.h0 = h0 && hold(h0)
    this.c0 = shape.kind.c0 && hold(shape.kind.c0)
    this.layers = layers.map(layer => ({
      ...layer,
      input: hold(layer.input),
      index: layer.index && {
        index: hold(layer.index.index),
        starts: hold(layer.index.starts),
        order: hold(layer.index.order),
      },
      output: hold(layer.output),
      saved: outlive(layer.saved),
    }))
  }

  /** @internal */
  check(name: string): void {
    if (this.shape.kind.name !== name) {
      throw badArgument(
        `${name}Backward`,
        'saved',
        `what ${name}Forward saved`,
        `${this.shape.kind.name}Forward's`,
      )
    }
    if (this.#used) {
      const message = `${name}Backward: saved: wanted a fresh forward pass, got one used before`
      throw new PackedRnnError('ERR_GRAPH_FREED', message)
    }
  }

  /** Lets go of what it holds, for a backward pass that never comes. Harmless twice. */
  dispose(): void {
    this.#used = true
    for (const { wIh, wHh, bIh, bHh, wHr } of this.weights) disposeAll(wIh, wHh, bIh, bHh, wHr)
    disposeAll(this.h0, this.c0)
    for (const { input, index, output, saved } of this.layers) {
      disposeAll(input, index?.index, index?.starts, index?.order, output, saved)
    }
  }

  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

function hold<D extends 'float32' | 'int32', R extends number>(tensor: Tensor<D, R>): Tensor<D, R> {
  return outlive(tensor.alias())
}

function disposeAll(...things: (Tensor | null | undefined)[]): void {
  for (const thing of things) thing?.dispose()
}

/** That a weight has this shape, or is absent where that is null, because of what `without` says. */
function checkWeight(
  op: string,
  weights: readonly LstmWeights[],
  i: number,
  name: keyof LstmWeights,
  shape: readonly number[] | null,
  device: Device,
  without: string,
): void {
  const value = weights[i]![name]
  if (shape === null && value == null) return
  if (shape !== null && isTensorOf(value, { dtype: 'float32', shape, device })) return
  const argument = `weights[${i}].${name}`
  if (shape === null) throw badArgument(op, argument, without, value)
  if (value == null) throw badArgument(op, argument, `shape [${shape.join(', ')}]`, value, 'ERR_SHAPE')
  checkTensor<'float32', number>(op, argument, value, { dtype: 'float32', shape, device })
}

/** @internal */
export function checkRecurrent(
  kind: Kind,
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: RecurrentOptions,
): RecurrentShape {
  const op = `${kind.name}Forward`
  checkPacked(op, 'x', x)
  const { hiddenSize, numLayers = 1, bidirectional = false, dropout = 0, mask, h0 } = options
  const { gates, projSize, c0 } = kind
  checkInteger(op, 'hiddenSize', hiddenSize, 1, 2 ** 24)
  checkInteger(op, 'numLayers', numLayers, 1, 512)
  checkNumber(op, 'dropout', dropout, 0, 1)
  if (dropout > 0 && numLayers > 1 && mask === undefined) {
    throw badArgument(op, 'mask', 'a seed and a step for dropout', mask)
  }
  // Here, before the first layer has run; the op itself would tell after it.
  if (mask !== undefined) {
    checkOptions(op, mask, { seed: true, step: true }, 'options.mask')
    checkInteger(op, 'mask.seed', mask.seed, 0, Number.MAX_SAFE_INTEGER)
    checkInteger(op, 'mask.step', mask.step, 0, 2 ** 32 - 1)
  }
  const directions = bidirectional ? 2 : 1
  const stateSize = projSize > 0 ? projSize : hiddenSize
  const { device } = x.data
  const { sequences, width: inputSize } = x
  if (weights.length !== numLayers * directions) {
    throw badArgument(
      op,
      'weights',
      `${numLayers * directions} layers and directions`,
      weights.length,
      'ERR_SHAPE',
    )
  }
  const bias = weights[0]?.bIh != null
  const rows = gates * hiddenSize
  for (let i = 0; i < weights.length; i++) {
    const inputs = i < directions ? inputSize : directions * stateSize
    const check = (name: keyof LstmWeights, shape: readonly number[] | null, without = '') =>
      checkWeight(op, weights, i, name, shape, device, without)
    check('wIh', [rows, inputs])
    check('wHh', [rows, stateSize])
    check('bIh', bias ? [rows] : null, 'no bias, as weights[0] has none')
    check('bHh', bias ? [rows] : null, 'no bias, as weights[0] has none')
    check('wHr', projSize > 0 ? [projSize, hiddenSize] : null, 'no projection without projSize')
  }
  const states = numLayers * directions
  if (h0 != null) {
    checkTensor(op, 'h0', h0, { dtype: 'float32', shape: [states, sequences.batchSize, stateSize], device })
  }
  if (c0 != null) {
    checkTensor(op, 'c0', c0, { dtype: 'float32', shape: [states, sequences.batchSize, hiddenSize], device })
  }
  return { kind, sequences, inputSize, hiddenSize, stateSize, numLayers, directions, bias }
}
