import { badArgument } from '../errors.js'
import { PackedIds } from '../packed.js'
import { Generator } from '../random.js'
import { batchOrder } from './order.js'

/** Documents as ids, with the number of each one's category. */
export interface LabelledDocuments {
  documents: readonly Int32Array[]
  labels: Int32Array
}

export interface Batch {
  ids: PackedIds
  /** [B] */
  labels: Int32Array
}

export interface BatchesOptions {
  batchSize: number
  /** A new order in every epoch, by this seed; without it the order of the file. */
  shuffleSeed?: number
  /** Documents of similar length share a batch; default false. */
  bucketByLength?: boolean
  /** Leaves out what does not fill a batch; default false. */
  dropLast?: boolean
}

/** Batches packed straight from documents: no padded matrix is ever made. */
export class Batches {
  readonly data: LabelledDocuments
  readonly options: BatchesOptions
  /** Of all documents. */
  readonly tokens: number

  /** @throws PackedRnnError ERR_EMPTY without documents, ERR_SHAPE for another number of labels. */
  constructor(data: LabelledDocuments, options: BatchesOptions) {
    const { documents, labels } = data
    if (documents.length === 0)
      throw badArgument('Batches', 'documents', 'at least one document', 'none', 'ERR_EMPTY')
    if (labels.length !== documents.length) {
      throw badArgument('Batches', 'labels', `${documents.length} labels`, labels.length, 'ERR_SHAPE')
    }
    this.data = data
    this.options = options
    this.tokens = documents.reduce((sum, document) => sum + document.length, 0)
  }

  /** Batches in an epoch. */
  get count(): number {
    const { batchSize, dropLast = false } = this.options
    const batches = this.data.documents.length / batchSize
    return dropLast ? Math.floor(batches) : Math.ceil(batches)
  }

  /** The batches of an epoch, from 0; each epoch's order depends on the seed and its number alone. */
  *epoch(number: number): IterableIterator<Batch> {
    const { documents, labels } = this.data
    const { shuffleSeed, ...options } = this.options
    const generator = shuffleSeed === undefined ? {} : { generator: new Generator(shuffleSeed, number + 1) }
    const lengths = documents.map(document => document.length)
    for (const batch of batchOrder(lengths, { ...options, ...generator })) {
      yield {
        ids: new PackedIds(batch.map(i => documents[i]!)),
        labels: Int32Array.from(batch, i => labels[i]!),
      }
    }
  }
}
