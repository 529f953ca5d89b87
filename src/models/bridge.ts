import { Linear, LstmOutput, Module, type ModuleOptions, type RecurrentOutput } from '../nn/index.js'
import { tanh } from '../ops/elementwise.js'
import { lastHidden } from '../ops/pooling.js'
import { reshape } from '../ops/shape.js'
import type { Matrix, Tensor } from '../tensor.js'
import type { CellKind } from './encoder.js'

/**
 * From the last states of an encoder with two directions to the first of a decoder with L layers: h = tanh(W [→h; ←h] + b), and
 * of an LSTM c = W [→c; ←c] + b.
 */
export class Bridge extends Module {
  readonly h: Linear
  readonly c: Linear | null
  readonly #numLayers: number

  constructor(
    options: ModuleOptions & { cell: CellKind; encodedSize: number; hiddenSize: number; numLayers: number },
  ) {
    super(options)
    const { cell, encodedSize, hiddenSize, numLayers } = options
    const { device, generator } = this
    const size = { device, generator, inFeatures: encodedSize, outFeatures: numLayers * hiddenSize }
    this.h = new Linear(size)
    this.c = cell === 'lstm' ? new Linear(size) : null
    this.#numLayers = numLayers
  }

  /** @returns h and c [B, L, H]. */
  forward(encoded: RecurrentOutput, summary: Matrix): [Tensor<'float32', 3>, Tensor<'float32', 3> | null] {
    const c =
      this.c !== null && encoded instanceof LstmOutput ? this.c.forward(lastHidden(encoded.cN, 2)) : null
    return [this.#layers(tanh(this.h.forward(summary))), c && this.#layers(c)]
  }

  #layers(states: Matrix): Tensor<'float32', 3> {
    const [rows, width] = states.shape
    return reshape(states, [rows, this.#numLayers, width / this.#numLayers])
  }
}
