import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { embedding } from '../ops/embedding.js'
import type { PackedIds, PackedSequence } from '../packed.js'
import { type Tensor, tensor } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'
import { parameter } from './parameter.js'

/** The size of a table of word vectors. */
export interface EmbeddingOptions extends ModuleOptions {
  /** V */
  numEmbeddings: number
  /** I */
  embeddingDim: number
  /** The id whose row starts as zeros, unless values are given, and has no gradient; default none. */
  paddingIdx?: number | null
}

/**
 * A table of word vectors, as torch.nn.Embedding: `weight` [V, I] starts standard normal.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const layer = new nn.Embedding({ numEmbeddings: 10, embeddingDim: 4 })
 * const words = layer.forward(packSequence([[3, 1], [3]]))
 * console.log(layer.weight.shape, words.data.shape, words.sequences.rows) // [10, 4] [2, 4] 3
 * ```
 */
export class Embedding extends Module {
  /** [V, I] */
  weight: Tensor<'float32', 2>
  /** The id whose row has no gradient, or null. */
  readonly paddingIdx: number | null

  /**
   * @param options `values`: V · I numbers, row-major, instead of drawn ones; `freeze`: default false.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1 or a `paddingIdx` outside; ERR_SHAPE for another number of
   * `values`; ERR_INVALID_ARGUMENT for an unknown option.
   */
  constructor(options: EmbeddingOptions & { values?: Float32Array; freeze?: boolean }) {
    checkOptions('nn.Embedding', options, {
      ...moduleNames,
      numEmbeddings: true,
      embeddingDim: true,
      paddingIdx: true,
      values: true,
      freeze: true,
    })
    super(options)
    const { numEmbeddings, embeddingDim, values, freeze = false, paddingIdx = null } = options
    checkInteger('nn.Embedding', 'numEmbeddings', numEmbeddings, 1)
    checkInteger('nn.Embedding', 'embeddingDim', embeddingDim, 1)
    if (paddingIdx !== null) checkInteger('nn.Embedding', 'paddingIdx', paddingIdx, 0, numEmbeddings - 1)
    const size = numEmbeddings * embeddingDim
    if (values !== undefined && values.length !== size) {
      throw badArgument('nn.Embedding', 'values', `${size} values`, values.length, 'ERR_SHAPE')
    }
    const initial = values ?? Float32Array.from({ length: size }, () => this.generator.normal())
    if (values === undefined && paddingIdx !== null) {
      initial.fill(0, paddingIdx * embeddingDim, (paddingIdx + 1) * embeddingDim)
    }
    this.paddingIdx = paddingIdx
    const { device } = this
    this.weight = parameter(tensor<2>(initial, [numEmbeddings, embeddingDim], { device }))
    this.weight.requiresGrad = !freeze
  }

  /**
   * A table of given vectors.
   *
   * @param values V · I numbers, row-major.
   * @param embeddingDim I
   * @param options `freeze`: whether training leaves them as they are; default true, as in PyTorch.
   * @throws PackedRnnError ERR_OUT_OF_RANGE where they are no whole number of rows, or for a `paddingIdx` outside;
   * ERR_INVALID_ARGUMENT for an unknown option.
   */
  static fromPretrained(
    values: Float32Array,
    embeddingDim: number,
    options: ModuleOptions & Pick<EmbeddingOptions, 'paddingIdx'> & { freeze?: boolean } = {},
  ): Embedding {
    checkOptions('nn.Embedding.fromPretrained', options, { ...moduleNames, paddingIdx: true, freeze: true })
    checkInteger('nn.Embedding.fromPretrained', 'embeddingDim', embeddingDim, 1)
    const { freeze = true } = options
    return new Embedding({
      ...options,
      freeze,
      values,
      embeddingDim,
      numEmbeddings: values.length / embeddingDim,
    })
  }

  /**
   * The rows of packed ids, indexed: each distinct id's row once.
   * @throws PackedRnnError ERR_OUT_OF_RANGE for an id of V or more; ERR_INVALID_ARGUMENT for ids that are not packed;
   * ERR_DISPOSED.
   */
  forward(ids: PackedIds): PackedSequence {
    return embedding(this.weight, ids, { paddingIdx: this.paddingIdx })
  }
}
