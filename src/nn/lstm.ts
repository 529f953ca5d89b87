import { checkInteger, checkNumber } from '../check.js'
import { lastHidden, lastOutput } from '../ops/pooling.js'
import { type LstmResult, lstm } from '../ops/recurrent.js'
import type { LstmWeights } from '../ops/recurrentInput.js'
import type { PackedSequence } from '../packed.js'
import type { Tensor } from '../tensor.js'
import { MaskCounter } from './dropout.js'
import { Module, type ModuleOptions } from './module.js'

export interface LstmModuleOptions extends ModuleOptions {
  /** I */
  inputSize: number
  /** H */
  hiddenSize: number
  /** L, default 1 */
  numLayers?: number
  /** D is 2 if true; default false. */
  bidirectional?: boolean
  /** Default true. */
  bias?: boolean
  /** Probability of dropping an element between layers while training; default 0. */
  dropout?: number
}

/** What an LSTM gives, and the two ways to one vector a sequence. */
export class LstmOutput implements LstmResult {
  readonly output: PackedSequence
  readonly hN: Tensor<'float32', 3>
  readonly cN: Tensor<'float32', 3>
  readonly #directions: 1 | 2

  /** @internal */
  constructor({ output, hN, cN }: LstmResult, directions: 1 | 2) {
    this.output = output
    this.hN = hN
    this.cN = cN
    this.#directions = directions
  }

  /** The final states of the last layer, both directions side by side: [B, D·H]. */
  lastHidden(): Tensor<'float32', 2> {
    return lastHidden(this.hN, this.#directions)
  }

  /** The output at each sequence's last token, [B, D·H]; its reverse half has seen that token only. */
  lastOutput(): Tensor<'float32', 2> {
    return lastOutput(this.output)
  }
}

/**
 * A stack of LSTM layers over packed sequences, as torch.nn.LSTM: its parameter names (`weight_ih_l0`,
 * `weight_hh_l0_reverse`, …), shapes, gate order i, f, g, o, and initial values, uniform on ±1/√H.
 */
export class LSTM extends Module {
  readonly inputSize: number
  readonly hiddenSize: number
  readonly numLayers: number
  readonly bidirectional: boolean
  readonly dropout: number
  /** In the order layer · D + direction. */
  readonly weights: readonly LstmWeights[]
  readonly masks: MaskCounter

  constructor(options: LstmModuleOptions) {
    super(options)
    const { inputSize, hiddenSize, numLayers = 1, bidirectional = false, bias = true, dropout = 0 } = options
    const op = 'nn.LSTM'
    checkInteger(op, 'inputSize', inputSize, 1)
    checkInteger(op, 'hiddenSize', hiddenSize, 1)
    checkInteger(op, 'numLayers', numLayers, 1, 512)
    checkNumber(op, 'dropout', dropout, 0, 1)
    if (dropout > 0 && numLayers === 1) {
      process.emitWarning('nn.LSTM: dropout acts between layers, and there is one layer: it has no effect')
    }
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    this.numLayers = numLayers
    this.bidirectional = bidirectional
    this.dropout = dropout
    const bound = 1 / Math.sqrt(hiddenSize)
    const suffixes = bidirectional ? ['', '_reverse'] : ['']
    this.weights = Array.from({ length: numLayers }, (_, l) =>
      suffixes.map(suffix => {
        const inputs = l === 0 ? inputSize : suffixes.length * hiddenSize
        return {
          wIh: this.uniform<2>(`weight_ih_l${l}${suffix}`, [4 * hiddenSize, inputs], bound),
          wHh: this.uniform<2>(`weight_hh_l${l}${suffix}`, [4 * hiddenSize, hiddenSize], bound),
          bIh: bias ? this.uniform<1>(`bias_ih_l${l}${suffix}`, [4 * hiddenSize], bound) : null,
          bHh: bias ? this.uniform<1>(`bias_hh_l${l}${suffix}`, [4 * hiddenSize], bound) : null,
        }
      }),
    ).flat()
    this.masks = new MaskCounter(this.generator)
  }

  /**
   * @param x rows of `inputSize` numbers, or an embedding's indexed rows.
   * @param state initial states [L·D, B, H]; default zeros.
   */
  forward(
    x: PackedSequence,
    state: { h0?: Tensor<'float32', 3> | null; c0?: Tensor<'float32', 3> | null } = {},
  ): LstmOutput {
    const { hiddenSize, numLayers, bidirectional } = this
    const dropout = this.training && numLayers > 1 ? this.dropout : 0
    const mask = dropout > 0 ? { mask: this.masks.next() } : {}
    const result = lstm(x, this.weights, { hiddenSize, numLayers, bidirectional, dropout, ...mask, ...state })
    return new LstmOutput(result, bidirectional ? 2 : 1)
  }
}
