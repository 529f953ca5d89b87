import { Linear, LstmOutput, Module, type ModuleOptions, type RecurrentOutput } from '../nn/index.js'
import { tanh } from '../ops/elementwise.js'
import { lastHidden } from '../ops/pooling.js'
import { reshape } from '../ops/shape.js'
import type { Matrix, Tensor } from '../tensor.js'
import type { CellKind } from './encoder.js'

/**
 * From the last states of an encoder with two directions to the first of a decoder with L layers: h = tanh(W [→h; ←h] + b), and
 * of an LSTM c = W [→c; ←c] + b. `Seq2Seq` makes it.
 *
 * @example
 * ```ts
 * import { Seq2Seq } from 'packed-rnn/models'
 *
 * const sizes = { sourceVocabularySize: 9, targetVocabularySize: 9, embeddingDim: 4, hiddenSize: 8 }
 * const { bridge } = new Seq2Seq({ ...sizes, bidirectional: true })
 * console.log(bridge?.h.weight.shape) // [8, 16]
 * ```
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
