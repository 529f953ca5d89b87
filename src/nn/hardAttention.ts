import { checkOptions } from '../check.js'
import { add, log, maximum, mul, neg, sub } from '../ops/elementwise.js'
import { rand } from '../ops/random.js'
import { packedRows } from '../ops/rows.js'
import { largestOnes, repeatRows, segmentLogsumexp, segmentSum } from '../ops/segments.js'
import { reshape } from '../ops/shape.js'
import { PackedSequence } from '../packed.js'
import type { Generator } from '../random.js'
import { scope } from '../scope.js'
import { type Matrix, ranked, type Vector } from '../tensor.js'
import {
  type AttentionMemory,
  AttentionModule,
  inFormOf,
  type ScoreOptions,
  scoreNames,
} from './attentionModule.js'

/** What hard attention chose. */
export interface Chosen<Query extends Matrix | PackedSequence = Matrix | PackedSequence> {
  /** The chosen encoded row of each query, in the form of `query`. */
  readonly context: Query
  /** log α of the chosen row of each query, on the tape; 0 without rows. */
  readonly logProbability: Vector
  /** 1 for the chosen row and 0 for the others, in the order of `dotAttention`'s weights. No gradient. */
  readonly weights: Vector
}

/**
 * Hard attention (Xu et al. 2015, arXiv 1502.03044, section 4.1): the context is one encoded row, chosen with the
 * probabilities α = softmax of the scores. In training mode the row is sampled; in evaluation mode it is the most
 * probable. The context's gradient reaches the chosen row alone. The scores learn from `logProbability`: add
 * −(reward − baseline) · logProbability to the loss (REINFORCE, Williams 1992).
 *
 * @example
 * ```ts
 * import { nn, packSequence, randn } from 'packed-rnn'
 *
 * const hard = new nn.HardAttention({ score: 'dot', querySize: 2, memorySize: 2 })
 * const memory = hard.memory(packSequence([Float32Array.of(1, 1), Float32Array.of(2, 2)], { inputSize: 2 }))
 * const { context, logProbability } = hard.forward(randn([2, 2]), memory)
 * console.log(await context.toArray()) // Float32Array(4) [1, 1, 2, 2]
 * console.log(await logProbability.toArray()) // Float32Array(2) [0, 0]
 * ```
 */
export class HardAttention extends AttentionModule {
  /** @throws PackedRnnError if a size or score is invalid, or an option is unknown or of another score. */
  constructor(options: ScoreOptions) {
    checkOptions('nn.HardAttention', options, scoreNames)
    super('nn.HardAttention', options)
  }

  /**
   * @param query rows of `querySize` numbers: a matrix with one for each sequence, or a packed batch with any
   * number in each sequence.
   * @param memory what `memory` returned.
   * @param options `generator` of the samples; default the module's.
   * @throws PackedRnnError ERR_SHAPE if widths or numbers of sequences differ; ERR_DEVICE.
   */
  forward<Query extends Matrix | PackedSequence>(
    query: Query,
    memory: AttentionMemory,
    options?: { generator?: Generator },
  ): Chosen<Query>
  forward(
    query: Matrix | PackedSequence,
    memory: AttentionMemory,
    options: { generator?: Generator } = {},
  ): Chosen {
    checkOptions(this.op, options, { generator: true })
    const { generator = this.generator } = options
    return scope(() => {
      const scores = this.scores(query, memory)
      const { sequences, data } = scores
      const logs = ranked(sub(data, repeatRows(segmentLogsumexp(scores), sequences).data), 2)
      const lots = this.training ? add(logs.detach(), gumbel(data, generator)) : logs.detach()
      const chosen = largestOnes(new PackedSequence(ranked(lots, 2), sequences))
      const sumOf = (rows: Matrix) => segmentSum(new PackedSequence(ranked(mul(rows, chosen), 2), sequences))
      const context = inFormOf(query, sumOf(packedRows(this.pairs(query, memory).values)))
      const logProbability = reshape(sumOf(logs), [sequences.batchSize])
      return { context, logProbability, weights: reshape(chosen, [sequences.rows]) }
    })
  }
}

/** −log(−log u), with a small number instead of u = 0. The largest of log α + this has probability α (Gumbel 1954). */
function gumbel(scores: Matrix, generator: Generator): Matrix {
  const u = rand(scores.shape, { device: scores.device, generator })
  return ranked(neg(log(neg(log(maximum(u, 2 ** -25))))), 2)
}
