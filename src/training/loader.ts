import { checkFunction, checkInteger, checkList, checkOptions, type OptionNames } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { epochOrder } from '../text/order.js'

/** How items become batches. */
export interface DataLoaderOptions<Item, Batch> {
  /** Makes a batch of some items: packs documents, cuts windows of a stream. */
  collate(items: Item[]): Batch
  /** Items in a batch, at most. */
  batchSize: number
  /** The tokens of an item; default 1. `maxTokens`, `bucketByLength` and the speed that is reported read it. */
  lengthOf?(item: Item): number
  /** A batch ends where its next item would bring it above so many tokens. A longer item is a batch by itself. */
  maxTokens?: number
  /** Whether each epoch has a new order; default false: the order of the items. */
  shuffle?: boolean
  /** Of the orders; default 0. */
  seed?: number
  /** Items of similar length share a batch, shortest batch first, or in shuffled order; default false. */
  bucketByLength?: boolean
  /**
   * What `bucketByLength` sorts by instead of `lengthOf`: several numbers of an item, the first one first. Every item has as
   * many. Items with equal numbers keep the epoch's order.
   */
  sortKeysOf?(item: Item): readonly number[]
  /** Leaves out the last items of the order where they do not fill a batch; default false. */
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

/** Where batches come from, epoch after epoch. */
export interface Loader<Batch> {
  /** How an epoch goes through the items, as text. A checkpoint in the middle of an epoch resumes only where it is the same. */
  readonly way: string
  /** The batches of an epoch, from 0; they depend on its number alone. */
  epoch(number: number): LoaderEpoch<Batch>
}

/** The batches of one epoch. */
export interface LoaderEpoch<Batch> {
  /** How many; with `maxTokens` and a shuffled order another number in each epoch. */
  readonly batches: number
  /** Of all its batches; items that `dropLast` leaves out do not count. */
  readonly tokens: number
  /** From batch number `first` on, each made when its turn comes; those before are not made. */
  from(first: number): Iterable<LoadedBatch<Batch>>
}

/** A batch and its tokens. */
export interface LoadedBatch<Batch> {
  batch: Batch
  tokens: number
}

/**
 * Orders items, cuts batches within bounds and makes each batch when its turn comes.
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
   * @throws PackedRnnError ERR_EMPTY without items; ERR_INVALID_ARGUMENT for a bound below 1, a `collate` that is no function
   * or an unknown option; ERR_OUT_OF_RANGE for a negative length; ERR_SHAPE for items with more or fewer sort keys than the first.
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

  get way(): string {
    return wayOf({ items: this.items.length, ...this.options })
  }

  /**
   * @throws PackedRnnError ERR_EMPTY where `dropLast` leaves nothing; ERR_OUT_OF_RANGE for a number below 0;
   * ERR_INVALID_ARGUMENT for a bad seed.
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

/** What an order depends on. */
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

/** An order as text, the same for options that are left out and for their defaults. */
export function wayOf(way: Way): string {
  const { items, batchSize, maxTokens, shuffle = false, seed = 0, bucketByLength, dropLast } = way
  const sorts = bucketByLength === true && way.sortKeysOf !== undefined
  return JSON.stringify({
    ...{ items, batchSize, maxTokens: maxTokens ?? null, seed: shuffle ? seed : null },
    ...{ bucketByLength: bucketByLength ?? false, dropLast: dropLast ?? false },
    ...(sorts && { sortKeys: true }),
  })
}
