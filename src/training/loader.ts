import { checkFunction, checkInteger, checkList, checkOptions, type OptionNames } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { epochOrder } from '../text/order.js'

/** Options of `DataLoader`. */
export interface DataLoaderOptions<Item, Batch> {
  /** Makes a batch from items, for example by packing documents. */
  collate(items: Item[]): Batch
  /** The maximum number of items in a batch. */
  batchSize: number
  /** Returns the number of tokens of an item; default 1. Used by `maxTokens`, `bucketByLength` and the reported speed. */
  lengthOf?(item: Item): number
  /** The maximum number of tokens in a batch. A longer item is a batch by itself. Default: no maximum. */
  maxTokens?: number
  /** Whether each epoch has a new random order; default false, the order of the items. */
  shuffle?: boolean
  /** The seed of the random orders; default 0. */
  seed?: number
  /** Whether batches consist of items of similar length. Batches are in order of length, or shuffled. Default false. */
  bucketByLength?: boolean
  /**
   * Returns what `bucketByLength` sorts by instead of `lengthOf`: one or several numbers, the first one first, as many for every
   * item. Items with equal numbers keep the order of the epoch.
   */
  sortKeysOf?(item: Item): readonly number[]
  /** Whether to drop the last batch if it is not full; default false. */
  dropLast?: boolean
}

const names: OptionNames<DataLoaderOptions<unknown, unknown>> = {
  collate: true,
  batchSize: true,
  lengthOf: true,
  maxTokens: true,
  shuffle: true,
  seed: true,
  bucketByLength: true,
  sortKeysOf: true,
  dropLast: true,
}

/** A source of batches for each epoch. */
export interface Loader<Batch> {
  /** A description of the order of batches. A checkpoint in the middle of an epoch resumes only if it is the same. */
  readonly way: string
  /** Returns the batches of an epoch, counted from 0. They must depend only on its number. */
  epoch(number: number): LoaderEpoch<Batch>
}

/** The batches of one epoch. */
export interface LoaderEpoch<Batch> {
  /** The number of batches. With `maxTokens` and `shuffle` it differs between epochs. */
  readonly batches: number
  /** The tokens of all batches, without items that `dropLast` drops. */
  readonly tokens: number
  /** Iterates over the batches from number `first`. Each is made when it is reached; earlier ones are not made. */
  from(first: number): Iterable<LoadedBatch<Batch>>
}

/** A batch and its number of tokens. */
export interface LoadedBatch<Batch> {
  batch: Batch
  tokens: number
}

/**
 * Divides items into batches, as torch.utils.data.DataLoader. The order depends only on the seed and the number of the epoch. Each
 * batch is made when it is reached.
 *
 * @example
 * ```ts
 * import { packSequence } from 'packed-rnn'
 * import { DataLoader } from 'packed-rnn/training'
 *
 * const documents = [[1, 2, 3], [4], [5, 6]]
 * const loader = new DataLoader(documents, {
 *   collate: packSequence,
 *   lengthOf: ids => ids.length,
 *   batchSize: 2,
 * })
 * for (const { batch } of loader.epoch(0).from(0))
 *   console.log([...batch.sequences.lengths()]) // [3, 1]
 * ```
 */
export class DataLoader<Item, Batch> implements Loader<Batch> {
  readonly items: readonly Item[]
  readonly options: DataLoaderOptions<Item, Batch>
  readonly #lengths: number[]
  readonly #sortKeys: number[][] | undefined

  /**
   * @throws PackedRnnError ERR_EMPTY if there are no items; ERR_INVALID_ARGUMENT if a maximum is below 1, `collate` is not a
   * function or an option is unknown; ERR_OUT_OF_RANGE if a length is negative; ERR_SHAPE if items have
   * different numbers of sort keys.
   */
  constructor(items: readonly Item[], options: DataLoaderOptions<Item, Batch>) {
    const op = 'DataLoader'
    checkOptions(op, options, names)
    checkList(op, 'items', items, 'items')
    checkFunction(op, 'options.collate', options.collate)
    const { lengthOf, batchSize, maxTokens = Number.POSITIVE_INFINITY } = options
    if (items.length === 0) throw badArgument(op, 'items', 'at least one item', 'none', 'ERR_EMPTY')
    checkBound('batchSize', batchSize)
    if (maxTokens !== Number.POSITIVE_INFINITY) checkBound('maxTokens', maxTokens)
    this.items = items
    this.options = options
    this.#lengths = items.map((item, i) => {
      const length = lengthOf === undefined ? 1 : lengthOf(item)
      checkInteger(op, `lengthOf(items[${i}])`, length, 0)
      return length
    })
    this.#sortKeys = options.sortKeysOf && columnsOf(items.map(options.sortKeysOf))
  }

  /** A description of the order of batches: the number of items and the options that it depends on. */
  get way(): string {
    return wayOf({ items: this.items.length, ...this.options })
  }

  /**
   * Returns the batches of an epoch, counted from 0.
   * @throws PackedRnnError ERR_EMPTY if `dropLast` drops all items; ERR_OUT_OF_RANGE if the number is negative;
   * ERR_INVALID_ARGUMENT if the seed is invalid.
   */
  epoch(number: number): LoaderEpoch<Batch> {
    checkInteger('DataLoader.epoch', 'number', number, 0)
    const { batchSize, shuffle = false, seed = 0, maxTokens, bucketByLength, dropLast } = this.options
    const order = epochOrder(this.#lengths, number, {
      batchSize,
      ...(shuffle && { shuffleSeed: seed }),
      ...(maxTokens !== undefined && { maxTokens }),
      ...(bucketByLength !== undefined && { bucketByLength }),
      ...(this.#sortKeys !== undefined && { sortKeys: this.#sortKeys }),
      ...(dropLast !== undefined && { dropLast }),
    })
    if (order.length === 0) {
      throw new PackedRnnError('ERR_EMPTY', 'DataLoader: dropLast: wanted a full batch, got too few items')
    }
    const tokensOf = (batch: readonly number[]) => batch.reduce((sum, i) => sum + this.#lengths[i]!, 0)
    const make = (batch: readonly number[]) => ({
      batch: this.options.collate(batch.map(i => this.items[i]!)),
      tokens: tokensOf(batch),
    })
    return {
      batches: order.length,
      tokens: order.reduce((sum, batch) => sum + tokensOf(batch), 0),
      *from(first) {
        for (let i = first; i < order.length; i++) yield make(order[i]!)
      },
    }
  }
}

function checkBound(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw badArgument('DataLoader', name, 'a positive integer', value)
}

/** From the sort keys of each item to one list for each key. */
function columnsOf(keys: readonly (readonly number[])[]): number[][] {
  const [first = []] = keys
  for (const [i, each] of keys.entries()) {
    if (each.length === first.length) continue
    const wanted = `${first.length} numbers, as for items[0]`
    throw badArgument('DataLoader', `sortKeysOf(items[${i}])`, wanted, each.length, 'ERR_SHAPE')
  }
  return first.map((_, k) => keys.map(each => each[k]!))
}

/** The options that an order of batches depends on. */
export interface Way {
  items: number
  batchSize: number
  maxTokens?: number | null | undefined
  shuffle?: boolean | undefined
  seed?: number | undefined
  bucketByLength?: boolean | undefined
  sortKeysOf?: unknown
  dropLast?: boolean | undefined
}

/** Describes an order as text. Missing options and their defaults have the same text. */
export function wayOf(way: Way): string {
  const { items, batchSize, maxTokens, shuffle = false, seed = 0, bucketByLength, dropLast } = way
  const sorts = bucketByLength === true && way.sortKeysOf !== undefined
  return JSON.stringify({
    ...{ items, batchSize, maxTokens: maxTokens ?? null, seed: shuffle ? seed : null },
    ...{ bucketByLength: bucketByLength ?? false, dropLast: dropLast ?? false },
    ...(sorts && { sortKeys: true }),
  })
}
