import { badArgument, PackedRnnError } from '../errors.js'
import type { RowIndex, Sequences } from '../packed.js'
import { outlive } from '../scope.js'
import type { Matrix, Tensor, Vector } from '../tensor.js'
import type { DropoutPlace } from './dropout.js'
import type { Kind, LstmWeights, States } from './recurrentOptions.js'

/** The data that a forward pass over recurrent layers saves for its backward pass. */

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
  /** The dropout mask on the output; null for the last layer, or without dropout. */
  mask: DropoutPlace | null
}

/**
 * The data that a forward pass saves for its backward pass. It holds memory until it is used or disposed.
 *
 * @example
 * ```ts
 * import { full, lstmBackward, lstmForward, PackedRnnError, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3)], { inputSize: 1 })
 * const weights = [{ wIh: full([4, 1], 1), wHh: full([4, 1], 1) }]
 * const { saved } = lstmForward(x, weights, { hiddenSize: 1 })
 * saved.dispose()
 * try {
 *   lstmBackward(saved, {})
 * } catch (error) {
 *   console.log(error instanceof PackedRnnError && error.code) // ERR_GRAPH_FREED
 * }
 * ```
 */
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

  /** Retains its tensors, so that the caller may dispose them. @internal */
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
        `saved from ${name}Forward`,
        `saved from ${this.shape.kind.name}Forward`,
      )
    }
    if (this.#used) {
      const message = `${name}Backward: saved: already used by a backward pass, or disposed`
      throw new PackedRnnError('ERR_GRAPH_FREED', message)
    }
  }

  /** Releases the memory, if the backward pass won't run. A second call does nothing. */
  dispose(): void {
    this.#used = true
    for (const { wIh, wHh, bIh, bHh, wHr } of this.weights) disposeAll(wIh, wHh, bIh, bHh, wHr)
    disposeAll(this.h0, this.c0)
    for (const { input, index, output, saved } of this.layers) {
      disposeAll(input, index?.index, index?.starts, index?.order, output, saved)
    }
  }

  /** Calls `dispose`, at the end of the block of a `using`. */
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
