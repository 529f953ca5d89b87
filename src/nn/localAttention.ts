import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import type { Attended, AttentionOptions } from '../ops/attention.js'
import { abs, exp, gt, mul, sigmoid, sub, tanh, where } from '../ops/elementwise.js'
import { packedRows } from '../ops/rows.js'
import { repeatRows, segmentSoftmax, segmentSum } from '../ops/sequences.js'
import { reshape } from '../ops/shape.js'
import { PackedSequence, type Sequences } from '../packed.js'
import { scope } from '../scope.js'
import { type Matrix, ranked, tensor } from '../tensor.js'
import {
  type AttentionMemory,
  AttentionModule,
  inFormOf,
  positionsOf,
  type ScoreOptions,
  scoreNames,
} from './attentionModule.js'
import { Linear } from './linear.js'

/** Options of `LocalAttention`. */
export interface LocalAttentionOptions extends ScoreOptions {
  /** D: the window is from D rows before the predicted position to D rows behind it. At least 1. */
  window: number
  /** Units of the prediction of the position; default `querySize`. */
  positionSize?: number
}
const names: OptionNames<LocalAttentionOptions> = { ...scoreNames, window: true, positionSize: true }

/** Low enough that its softmax is 0, and finite, so that it can be subtracted. */
const OUTSIDE = -1e30

/**
 * Local attention with predicted positions, `local-p` of Luong et al. 2015 (arXiv 1508.04025, section 3.2). For a
 * query s and a sequence of S rows, p = S · sigmoid(vᵀ tanh(W s)). The weights are the softmax of the scores over the
 * rows j with |j − p| ≤ D, times exp(−(j − p)² / 2σ²), σ = D / 2; they are not normalised again. Rows count from 0.
 *
 * `position` and `positionV` are linear layers W [positionSize, querySize] and v [1, positionSize] without a bias.
 *
 * @example
 * ```ts
 * import { nn, packSequence, randn } from 'packed-rnn'
 *
 * const local = new nn.LocalAttention({ score: 'general', querySize: 3, memorySize: 4, window: 2 })
 * const memory = local.memory(packSequence([new Float32Array(80), new Float32Array(4)], { inputSize: 4 }))
 * console.log(local.forward(randn([2, 3]), memory).shape) // [2, 4]
 * ```
 */
export class LocalAttention extends AttentionModule {
  /** D. */
  readonly window: number
  /** W of the position. */
  position: Linear
  /** v of the position. */
  positionV: Linear

  /** @throws PackedRnnError if a size, window or score is invalid, or an option is unknown or of another score. */
  constructor(options: LocalAttentionOptions) {
    const op = 'nn.LocalAttention'
    checkOptions(op, options, names)
    super(op, options)
    const { window, querySize, positionSize = querySize } = options
    checkNumber(op, 'window', window, 1)
    this.window = window
    const { device, generator } = this
    const plain = { bias: false, device, generator }
    this.position = new Linear({ inFeatures: querySize, outFeatures: positionSize, ...plain })
    this.positionV = new Linear({ inFeatures: positionSize, outFeatures: 1, ...plain })
  }

  /**
   * @param query rows of `querySize` numbers: a matrix with one for each sequence, or a packed batch with any
   * number in each sequence.
   * @param memory what `memory` returned.
   * @param options `weights`: whether to return the weights too. Here they are on the tape.
   * @returns contexts of `memorySize` numbers in the form of `query`; 0 for a query without rows to attend to.
   * @throws PackedRnnError ERR_SHAPE if widths or numbers of sequences differ; ERR_DEVICE.
   */
  forward(query: Matrix, memory: AttentionMemory, options?: AttentionOptions & { weights?: false }): Matrix
  forward(
    query: PackedSequence,
    memory: AttentionMemory,
    options?: AttentionOptions & { weights?: false },
  ): PackedSequence
  forward<Query extends Matrix | PackedSequence>(
    query: Query,
    memory: AttentionMemory,
    options: AttentionOptions & { weights: true },
  ): Attended<Query>
  forward(
    query: Matrix | PackedSequence,
    memory: AttentionMemory,
    options: AttentionOptions = {},
  ): Matrix | PackedSequence | Attended {
    checkOptions(this.op, options, { weights: true })
    return scope(() => {
      const scores = this.scores(query, memory)
      const { sequences } = scores
      const distance = this.#distances(query, sequences)
      const outside = gt(abs(distance), this.window)
      const inside = new PackedSequence(ranked(where(outside, OUTSIDE, scores.data), 2), sequences)
      const sigma = this.window / 2
      const near = exp(mul(mul(distance, distance), -1 / (2 * sigma * sigma)))
      const weights = mul(segmentSoftmax(inside).data, near)
      const { values } = this.pairs(query, memory)
      const weighed = ranked(mul(packedRows(values), weights), 2)
      const context = inFormOf(query, segmentSum(new PackedSequence(weighed, sequences)))
      return options.weights === true ? { context, weights: reshape(weights, [sequences.rows]) } : context
    })
  }

  /** j − p for each pair [pairs, 1]; `pairs` has a sequence for each query. */
  #distances(query: Matrix | PackedSequence, pairs: Sequences): Matrix {
    const { device } = this
    const queries = pairs.batchSize
    const lengths = tensor(Float32Array.from(pairs.lengths()), [queries, 1], { device })
    const hidden = this.withQuery(query, rows => tanh(this.position.forward(rows)))
    const position = ranked(mul(sigmoid(this.positionV.forward(hidden)), lengths), 2)
    const rows = tensor(Float32Array.from(positionsOf(pairs)), [pairs.rows, 1], { device })
    return ranked(sub(rows, repeatRows(position, pairs).data), 2)
  }
}
