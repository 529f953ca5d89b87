import { checkInteger, checkNumber, checkTensor } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import type { PackedSequence, RowIndex, Sequences } from '../packed.js'
import { outlive, type Tensor } from '../tensor.js'
import type { DropoutPlace } from './dropout.js'
import { checkPacked } from './rows.js'

/** What the recurrent ops are given, checked, and what they keep for a backward pass. */

type Vector = Tensor<'float32', 1>
type Matrix = Tensor<'float32', 2>
type States = Tensor<'float32', 3>

/** The weights of one layer and direction; gates in the order i, f, g, o. I is 300 for layer 0, then D·H. */
export interface LstmWeights {
  /** [4H, I] */
  wIh: Matrix
  /** [4H, H] */
  wHh: Matrix
  /** [4H]; all layers have both biases, or none has any. */
  bIh?: Vector | null
  /** [4H] */
  bHh?: Vector | null
}

export interface LstmOptions {
  /** H */
  hiddenSize: number
  /** L, default 1 */
  numLayers?: number
  /** D is 2 if true; default false. */
  bidirectional?: boolean
  /** Probability of dropping an element between layers; default 0. */
  dropout?: number
  /** Which mask; wanted where `dropout` is not 0. */
  mask?: Pick<DropoutPlace, 'seed' | 'step'>
  /** Initial states [L·D, B, H], row layer · D + direction; default zeros. */
  h0?: States | null
  c0?: States | null
  /** Whether a backward pass will follow; default true. Without, nothing is saved and there is no dropout. */
  train?: boolean
}

/** @internal */
export interface Layer {
  input: Matrix
  index: RowIndex | null
  output: Matrix
  saved: Tensor<'float32', 1>
  /** The mask on the output, of every layer but the last. */
  mask: DropoutPlace | null
}

/** What `lstmBackward` needs of a forward pass. It holds memory until it is used or disposed. */
export class LstmSaved {
  /** @internal */
  readonly shape: LstmShape
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
    shape: LstmShape,
    weights: readonly LstmWeights[],
    h0: States | null,
    c0: States | null,
    layers: readonly Layer[],
    dropout: number,
  ) {
    this.shape = shape
    this.dropout = dropout
    this.weights = weights.map(({ wIh, wHh, bIh, bHh }) => ({
      wIh: hold(wIh),
      wHh: hold(wHh),
      bIh: bIh ? hold(bIh) : null,
      bHh: bHh ? hold(bHh) : null,
    }))
    this.h0 = h0 && hold(h0)
    this.c0 = c0 && hold(c0)
    this.layers = layers.map(layer => ({
      ...layer,
      input: hold(layer.input),
      index: layer.index && {
        index: hold(layer.index.index),
        starts: hold(layer.index.starts),
        order: hold(layer.index.order),
      },
      output: hold(layer.output),
    }))
  }

  /** @internal */
  use(): void {
    if (this.#used) {
      throw new PackedRnnError(
        'ERR_GRAPH_FREED',
        'lstmBackward: saved: wanted a fresh forward pass, got one used before',
      )
    }
    this.#used = true
  }

  dispose(): void {
    this.#used = true
    for (const { wIh, wHh, bIh, bHh } of this.weights) disposeAll(wIh, wHh, bIh, bHh)
    disposeAll(this.h0, this.c0)
    for (const { input, index, output, saved } of this.layers) {
      disposeAll(input, index?.index, index?.starts, index?.order, output, saved)
    }
  }

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

/** @internal */
export interface LstmShape {
  sequences: Sequences
  inputSize: number
  hiddenSize: number
  numLayers: number
  directions: 1 | 2
  bias: boolean
}

/** @internal */
export function checkLstm(
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: LstmOptions,
): LstmShape {
  const op = 'lstmForward'
  checkPacked(op, 'x', x)
  const { hiddenSize, numLayers = 1, bidirectional = false, dropout = 0, mask } = options
  checkInteger(op, 'hiddenSize', hiddenSize, 1, 2 ** 24)
  checkInteger(op, 'numLayers', numLayers, 1, 512)
  checkNumber(op, 'dropout', dropout, 0, 1)
  if (dropout > 0 && options.train !== false && numLayers > 1 && mask === undefined) {
    throw badArgument(op, 'mask', 'a seed and a step for dropout', mask)
  }
  const directions = bidirectional ? 2 : 1
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
  weights.forEach((weight, i) => {
    const inputs = i < directions ? inputSize : directions * hiddenSize
    const check = (name: 'wIh' | 'wHh' | 'bIh' | 'bHh', shape: number[]) => {
      const value = weight[name]
      const wanted = shape.length === 2 || bias
      if (!wanted && value == null) return
      if (!wanted) throw badArgument(op, `weights[${i}].${name}`, 'no bias, as weights[0] has none', value)
      if (value == null)
        throw badArgument(op, `weights[${i}].${name}`, `shape [${shape.join(', ')}]`, value, 'ERR_SHAPE')
      checkTensor<'float32', number>(op, `weights[${i}].${name}`, value, { dtype: 'float32', shape, device })
    }
    check('wIh', [4 * hiddenSize, inputs])
    check('wHh', [4 * hiddenSize, hiddenSize])
    check('bIh', [4 * hiddenSize])
    check('bHh', [4 * hiddenSize])
  })
  const shape = [numLayers * directions, sequences.batchSize, hiddenSize]
  for (const name of ['h0', 'c0'] as const) {
    const state = options[name]
    if (state != null) checkTensor(op, name, state, { dtype: 'float32', shape, device })
  }
  return { sequences, inputSize, hiddenSize, numLayers, directions, bias }
}
