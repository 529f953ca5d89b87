import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { embedding } from '../ops/embedding.js'
import type { PackedIds, PackedSequence } from '../packed.js'
import { type Tensor, tensor } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'
import { parameter } from './parameter.js'

/** Options of `Embedding`. */
export interface EmbeddingOptions extends ModuleOptions {
  /** V, the number of ids. */
  numEmbeddings: number
  /** I, the size of a vector. */
  embeddingDim: number
  /** An id whose row has no gradient, and is initialized to zeros unless values are given; default null, no such id. */
  paddingIdx?: number | null
}

/**
 * A table of vectors, one for each id, as torch.nn.Embedding. `weight` [V, I] is initialized from N(0, 1).
 *
 * @example
 * ```ts
 * import { nn, packIds } from 'packed-rnn'
 *
 * const layer = new nn.Embedding({ numEmbeddings: 10, embeddingDim: 4 })
 * const words = layer.forward(packIds([[3, 1], [3]]))
 * console.log(layer.weight.shape, words.data.shape, words.sequences.rows) // [10, 4] [2, 4] 3
 * ```
 */
export class Embedding extends Module {
  /** [V, I] */
  weight: Tensor<'float32', 2>
  /** The id whose row has no gradient, or null. */
  readonly paddingIdx: number | null

  /**
   * @param options `values`: initial values, V · I numbers, row-major; `freeze`: whether the vectors are not trained; default
   * false.
   * @throws PackedRnnError ERR_OUT_OF_RANGE if a size is below 1 or `paddingIdx` is out of range; ERR_SHAPE if `values` has the
   * wrong length; ERR_INVALID_ARGUMENT if an option is unknown.
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
   * Returns an embedding with the given vectors.
   *
   * @param values V · I numbers, row-major.
   * @param embeddingDim I, the size of a vector.
   * @param options `freeze`: whether the vectors are not trained; default true, as in PyTorch.
   * @throws PackedRnnError ERR_OUT_OF_RANGE if `values` is not a whole number of rows or `paddingIdx` is out of range;
   * ERR_INVALID_ARGUMENT if an option is unknown.
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
   * Looks up packed ids.
   *
   * @returns an indexed sequence, which has the row of each distinct id once.
   * @throws PackedRnnError ERR_OUT_OF_RANGE if an id is V or more; ERR_INVALID_ARGUMENT if the ids are not packed; ERR_DISPOSED
   * if the embedding was disposed.
   */
  forward(ids: PackedIds): PackedSequence {
    return embedding(this.weight, ids, { paddingIdx: this.paddingIdx })
  }
}
