import { checkOptions } from '../check.js'
import { type Attended, type AttentionOptions, additiveAttention, dotAttention } from '../ops/attention.js'
import { reshape } from '../ops/shape.js'
import { PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import type { Matrix } from '../tensor.js'
import { type AttentionMemory, AttentionModule, type ScoreOptions, scoreNames } from './attentionModule.js'

/**
 * Attention of a decoder's states s over encoded rows h: α = softmax of the scores over the rows of the same
 * sequence, context = Σ α h. The scores, after Weng's "Attention? Attention!" (2018):
 *
 * - `dot` sᵀh and `general` sᵀ W h (Luong et al. 2015), `scaledDot` sᵀh / √n (Vaswani et al. 2017)
 * - `additive` vᵀ tanh(W s + U h) (Bahdanau et al. 2015)
 * - `location` (W s)ⱼ at position j, whatever h is (Luong et al. 2015); a softmax over the sequence's own positions
 * - `cosine` sᵀh / (|s| |h|) (Graves et al. 2014)
 *
 * Parameters are linear layers, `query`, `key` and `v`, and start as those of `Linear`.
 *
 * @example
 * ```ts
 * import { nn, packSequence, randn } from 'packed-rnn'
 *
 * const attention = new nn.Attention({ score: 'additive', querySize: 3, memorySize: 4, hiddenSize: 8 })
 * const encoded = packSequence([new Float32Array(8), new Float32Array(20)], { inputSize: 4 })
 * const memory = attention.memory(encoded) // once for all steps of a decoder
 * console.log(attention.forward(randn([2, 3]), memory).shape) // [2, 4]
 * console.log(attention.namedParameters().map(([name]) => name)) // ['query.weight', 'key.weight', 'v.weight']
 * ```
 */
export class Attention extends AttentionModule {
  /** @throws PackedRnnError if a size or score is invalid, or an option is unknown or of another score. */
  constructor(options: ScoreOptions) {
    checkOptions('nn.Attention', options, scoreNames)
    super('nn.Attention', options)
  }

  /**
   * @param query rows of `querySize` numbers: a matrix with one for each sequence, or a packed batch with any
   * number in each sequence, such as the hypotheses of a beam.
   * @param memory what `memory` returned.
   * @param options `weights`: whether to return the weights too, which carry no gradient.
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
    this.checked(memory)
    return scope(() => {
      const found = this.withQuery(query, rows => {
        const projected = this.projected(rows)
        return query instanceof PackedSequence
          ? this.#attend(new PackedSequence(projected, query.sequences), memory)
          : this.#attend(projected, memory)
      })
      return options.weights === true ? found : found.context
    })
  }

  #attend(query: Matrix | PackedSequence, { keys, values }: AttentionMemory): Attended {
    const { scale, v } = this
    if (v === null) return dotAttention(query, keys, values, { scale, weights: true })
    return additiveAttention(query, keys, values, reshape(v.weight, [v.weight.shape[1]]), { weights: true })
  }
}
