import { checkIndices, checkInteger, checkOptions, type OptionNames } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { PackedIds } from '../packed.js'
import { type BatchOrderOptions, epochOrder } from './order.js'

/** Documents as ids, with the number of each one's category. A document may be empty. */
export interface LabelledDocuments {
  /** Ids of each. */
  documents: readonly Int32Array[]
  /** As many numbers, from 0. */
  labels: Int32Array
}

/** Some documents, packed, for one step. */
export interface Batch {
  ids: PackedIds
  /** [B] */
  labels: Int32Array
}

/** How documents are put into batches. */
export interface BatchesOptions extends Omit<BatchOrderOptions, 'generator' | 'sortKeys'> {
  /** A new order in every epoch, by this seed; without it the order of the file. */
  shuffleSeed?: number
}

/** Besides the size: the same of every epoch. */
export const orderNames: OptionNames<Omit<BatchesOptions, 'batchSize'>> = {
  bucketByLength: true,
  maxTokens: true,
  dropLast: true,
  shuffleSeed: true,
}

/**
 * Batches packed straight from documents: no padded matrix is ever made.
 *
 * @example
 * ```ts
 * import { Batches } from 'packed-rnn/text'
 *
 * const documents = [Int32Array.of(1, 2), Int32Array.of(3), Int32Array.of(4, 5, 6)]
 * const batches = new Batches({ documents, labels: Int32Array.of(0, 1, 0) }, { batchSize: 2 })
 * for (const { labels } of batches.epoch(0))
 *   console.log([...labels]) // [0, 1]
 * ```
 */
export class Batches {
  readonly data: LabelledDocuments
  readonly options: BatchesOptions
  readonly #lengths: Int32Array

  /**
   * @throws PackedRnnError ERR_EMPTY without documents, ERR_SHAPE for another number of labels, ERR_OUT_OF_RANGE for a
   * label below 0; ERR_INVALID_ARGUMENT for an unknown option.
   */
  constructor(data: LabelledDocuments, options: BatchesOptions) {
    checkOptions('Batches', options, { ...orderNames, batchSize: true })
    const { documents, labels } = data
    if (documents.length === 0)
      throw badArgument('Batches', 'documents', 'at least one document', 'none', 'ERR_EMPTY')
    if (labels.length !== documents.length) {
      throw badArgument('Batches', 'labels', `${documents.length} labels`, labels.length, 'ERR_SHAPE')
    }
    checkIndices('Batches', 'labels', labels, 2 ** 31)
    this.data = data
    this.options = options
    this.#lengths = Int32Array.from(documents, document => document.length)
  }

  /**
   * The batches of an epoch, from 0; each epoch's order depends on the seed and its number alone.
   * @throws PackedRnnError ERR_EMPTY where `dropLast` leaves nothing; ERR_INVALID_ARGUMENT for a bound below 1;
   * ERR_OUT_OF_RANGE for a number below 0.
   */
  epoch(number: number): Epoch {
    checkInteger('Batches.epoch', 'number', number, 0)
    const order = epochOrder(this.#lengths, number, this.options)
    if (order.length === 0) {
      throw new PackedRnnError('ERR_EMPTY', 'Batches: dropLast: wanted a full batch, got too few documents')
    }
    return new Epoch(this.data, order)
  }
}

/**
 * The batches of one epoch, each packed when its turn comes.
 *
 * @example
 * ```ts
 * import { Batches } from 'packed-rnn/text'
 *
 * const documents = [Int32Array.of(1, 2), Int32Array.of(3)]
 * const epoch = new Batches({ documents, labels: Int32Array.of(0, 1) }, { batchSize: 1 }).epoch(0)
 * console.log(epoch.steps, epoch.tokens) // 2 3
 * ```
 */
export class Epoch implements Iterable<Batch> {
  /** How many batches; with `maxTokens` and a shuffled order another number in each epoch. */
  readonly steps: number
  /** Of all its batches; documents that `dropLast` leaves out do not count. */
  readonly tokens: number
  readonly #data: LabelledDocuments
  readonly #order: readonly (readonly number[])[]

  /** @internal Use `Batches.epoch`. */
  constructor(data: LabelledDocuments, order: readonly (readonly number[])[]) {
    this.steps = order.length
    this.tokens = order.flat().reduce((sum, i) => sum + data.documents[i]!.length, 0)
    this.#data = data
    this.#order = order
  }

  /** The batches. Each is packed when the loop reaches it. */
  [Symbol.iterator](): IterableIterator<Batch> {
    return this.from(0)
  }

  /** The batches from number `first` on, from 0; those before are not packed. */
  *from(first: number): IterableIterator<Batch> {
    const { documents, labels } = this.#data
    for (const batch of this.#order.slice(first)) {
      yield {
        ids: new PackedIds(batch.map(i => documents[i]!)),
        labels: Int32Array.from(batch, i => labels[i]!),
      }
    }
  }
}
