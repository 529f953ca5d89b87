import { checkFloat, checkInstance, checkNumber, checkOptions, checkTensor } from '../check.js'
import { dropout, dropoutForward } from '../ops/dropout.js'
import { mul } from '../ops/elementwise.js'
import { checkPacked, withRows } from '../ops/rows.js'
import { repeatRows } from '../ops/sequences.js'
import { type PackedIds, PackedSequence } from '../packed.js'
import { type Float, full, ranked, type Shape, type Tensor } from '../tensor.js'
import { Embedding } from './embedding.js'
import { MaskCounter } from './masks.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** Options of the dropout modules. */
export interface DropoutModuleOptions extends ModuleOptions {
  /** The probability that an element is dropped; default 0.5. */
  p?: number
}

const names = { ...moduleNames, p: true } as const

/** The base class of the dropout modules: a probability and a counter of masks. */
abstract class Dropping extends Module {
  /** The probability that an element is dropped. */
  readonly p: number
  /** The counter of dropout masks. */
  readonly masks: MaskCounter

  /** @internal */
  constructor(op: string, options: DropoutModuleOptions) {
    super(options)
    this.p = options.p ?? 0.5
    checkNumber(op, 'p', this.p, 0, 1)
    this.masks = new MaskCounter(this.generator)
  }

  /** Whether `forward` drops anything. @internal */
  protected get active(): boolean {
    return this.training && this.p > 0
  }

  /** Returns a mask of the given shape: 0 with probability p, else 1 / (1 − p). @internal */
  protected mask<R extends number>(device: Float['device'], shape: Shape<R>): Tensor<'float32', R> {
    using ones = full<R>(shape, 1, { device })
    return dropoutForward(ones, this.p, this.masks.next())
  }
}

/**
 * Dropout (Srivastava et al. 2014), as torch.nn.Dropout. In training mode it sets each element to 0 with probability p and
 * multiplies the others by 1 / (1 − p). In evaluation mode it returns its input.
 *
 * @example
 * ```ts
 * import { nn, zeros } from 'packed-rnn'
 *
 * const dropout = new nn.Dropout({ p: 0.5 })
 * console.log(dropout.forward(zeros([2, 3])).shape) // [2, 3]
 * ```
 */
export class Dropout extends Dropping {
  /** @throws PackedRnnError if p is outside [0, 1] or an option is unknown. */
  constructor(options: DropoutModuleOptions = {}) {
    checkOptions('nn.Dropout', options, names)
    super('nn.Dropout', options)
  }

  /**
   * Applies dropout.
   *
   * @param x any shape, or packed rows.
   * @returns the same form and shape; x itself if nothing is dropped.
   */
  forward<X extends Float | PackedSequence>(x: X): X
  forward(x: Float | PackedSequence): Float | PackedSequence {
    if (x instanceof PackedSequence) {
      if (!this.active) return x
      const { sequences } = x
      const place = { ...this.masks.next(), sequences }
      return withRows('nn.Dropout', x, rows => new PackedSequence(dropout(rows, this.p, place), sequences))
    }
    if (this.active) return dropout<number>(x, this.p, this.masks.next())
    checkTensor('nn.Dropout', 'x', x, { dtype: 'float32' })
    return x
  }
}

/**
 * Dropout that uses the same mask for all tokens of a sequence (Gal and Ghahramani 2016), as `LockedDropout` of AWD-LSTM and
 * `RNNDropout` of fast.ai. Each sequence and each call has its own mask.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const locked = new nn.LockedDropout({ p: 0.5 })
 * const x = packSequence([new Float32Array(6).fill(1)], { inputSize: 2 })
 * const rows = await locked.forward(x).data.toArray()
 * console.log(rows[0] === rows[2] && rows[2] === rows[4]) // true
 * ```
 */
export class LockedDropout extends Dropping {
  readonly #batchFirst: boolean

  /**
   * @param options `batchFirst`: whether a padded batch is [B, T, C] instead of [T, B, C]; default false.
   * @throws PackedRnnError if p is outside [0, 1] or an option is unknown.
   */
  constructor(options: DropoutModuleOptions & { batchFirst?: boolean } = {}) {
    checkOptions('nn.LockedDropout', options, { ...names, batchFirst: true })
    super('nn.LockedDropout', options)
    this.#batchFirst = options.batchFirst ?? false
  }

  /**
   * Applies dropout.
   *
   * @param x packed rows, a padded batch, or a single sequence [T, C].
   * @returns the same form and shape; x itself if nothing is dropped.
   */
  forward<X extends Float | PackedSequence>(x: X): X
  forward(x: Float | PackedSequence): Float | PackedSequence {
    const op = 'nn.LockedDropout'
    if (x instanceof PackedSequence) {
      checkPacked(op, 'x', x)
      if (!this.active) return x
      const { sequences } = x
      using mask = this.mask<2>(x.data.device, [sequences.batchSize, x.width])
      using masks = repeatRows(mask, sequences)
      return withRows(op, x, rows => new PackedSequence(timesRows(rows, masks.data), sequences))
    }
    checkFloat(op, 'x', x)
    if (!this.active) return x
    const time = x.shape.length === 3 && this.#batchFirst ? 1 : 0
    using mask = this.mask<number>(
      x.device,
      x.shape.map((n, d) => (d === time ? 1 : n)),
    )
    return mul(x, mask)
  }
}

function timesRows(rows: Tensor<'float32', 2>, masks: Float): Tensor<'float32', 2> {
  return ranked(mul(rows, masks), 2)
}

/**
 * An embedding with dropout of whole words (Gal and Ghahramani 2016), as `EmbeddingDropout` of AWD-LSTM. In training mode it sets
 * all occurrences of a word in a batch to zeros with probability p and multiplies the others by 1 / (1 − p).
 *
 * @example
 * ```ts
 * import { nn, packIds } from 'packed-rnn'
 *
 * const table = new nn.Embedding({ numEmbeddings: 10, embeddingDim: 4 })
 * const words = new nn.EmbeddingDropout(table, { p: 0.1 })
 * console.log(words.forward(packIds([[1, 2, 1]])).sequences.rows) // 3
 * ```
 */
export class EmbeddingDropout extends Dropping {
  /** The embedding. */
  emb: Embedding

  /** @throws PackedRnnError if p is outside [0, 1], `embedding` is not an `Embedding`, or an option is unknown. */
  constructor(embedding: Embedding, options: DropoutModuleOptions = {}) {
    checkOptions('nn.EmbeddingDropout', options, names)
    checkInstance('nn.EmbeddingDropout', 'embedding', embedding, Embedding)
    super('nn.EmbeddingDropout', { device: embedding.weight.device, ...options })
    this.emb = embedding
  }

  /** Looks up packed ids, as `Embedding.forward`, and applies dropout. @throws PackedRnnError as `Embedding.forward`. */
  forward(ids: PackedIds): PackedSequence {
    const rows = this.emb.forward(ids)
    if (!this.active) return rows
    const { data, sequences, index } = rows
    using mask = this.mask<2>(data.device, [data.shape[0], 1])
    using given = data
    return new PackedSequence(timesRows(given, mask), sequences, index)
  }
}
