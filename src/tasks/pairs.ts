import { checkList } from '../check.js'
import { badArgument } from '../errors.js'
import { PackedIds } from '../packed.js'
import { DataLoader, type DataLoaderOptions } from '../training/loader.js'

/** A sentence and its translation, as ids. Both may be empty. */
export interface SentencePair {
  source: Int32Array
  /** With a begin and an end mark where the model needs them; empty where there is nothing to learn from. */
  target: Int32Array
}

/**
 * Some pairs, packed, for one step. The rows are in descending order of target length, so the sentences that a decoder still
 * works on are always the first rows. Pairs with equally long targets keep the order of their items.
 */
export interface PairBatch {
  source: PackedIds
  target: PackedIds
  /** The item that each row is, as its index in the list that the batch was made of, or of all items of a loader [B]. */
  items: Int32Array
}

/** A pair with its index among the items of a loader. */
export interface PairItem extends SentencePair {
  item: number
}

/**
 * Packs pairs into one batch.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for a sentence that is not an Int32Array.
 *
 * @example
 * ```ts
 * import { pairBatch } from 'packed-rnn/tasks'
 *
 * const { source, target, items } = pairBatch([
 *   { source: Int32Array.of(7, 8, 9), target: Int32Array.of(3) },
 *   { source: Int32Array.of(5), target: Int32Array.of(4, 6) },
 * ])
 * console.log(target.ids, target.sequences.offsets) // Int32Array(3) [4, 6, 3] [0, 2, 3]
 * console.log(source.ids, [...items]) // Int32Array(4) [5, 7, 8, 9] [1, 0]
 * ```
 */
export function pairBatch(pairs: readonly SentencePair[]): PairBatch {
  return packed(itemsOf('pairBatch', pairs))
}

/**
 * Batches of sentence pairs. With `bucketByLength`, pairs whose targets, and then sources, are of similar length share a
 * batch. The length of a pair, which `maxTokens` bounds and the reported speed counts, is its source and its target together.
 *
 * @param options as of `DataLoader`.
 * @throws PackedRnnError as `DataLoader`; ERR_INVALID_ARGUMENT for a sentence that is not an Int32Array.
 *
 * @example
 * ```ts
 * import { pairLoader } from 'packed-rnn/tasks'
 *
 * const pairs = [[3, 1], [1, 1], [2, 1]].map(([m, n]) => ({ source: new Int32Array(m!), target: new Int32Array(n!) }))
 * const loader = pairLoader(pairs, { batchSize: 2, bucketByLength: true })
 * const batches = [...loader.epoch(0).from(0)].map(({ batch }) => [...batch.items])
 * console.log(batches, loader.epoch(0).tokens) // [[1, 2], [0]] 9
 * ```
 */
export function pairLoader(
  pairs: readonly SentencePair[],
  options: Omit<DataLoaderOptions<PairItem, PairBatch>, 'collate' | 'lengthOf' | 'sortKeysOf'>,
): DataLoader<PairItem, PairBatch> {
  return new DataLoader(itemsOf('pairLoader', pairs), {
    ...options,
    collate: packed,
    lengthOf: ({ source, target }) => source.length + target.length,
    sortKeysOf: ({ source, target }) => [target.length, source.length],
  })
}

/**
 * Puts results that belong to the rows of a batch into the order of its items: ascending by `items`.
 *
 * @param rows a result for each row of the batch [B].
 * @throws PackedRnnError ERR_SHAPE for another number of results.
 *
 * @example
 * ```ts
 * import { inItemOrder, pairBatch } from 'packed-rnn/tasks'
 *
 * const sentence = (length: number) => ({ source: Int32Array.of(1), target: new Int32Array(length) })
 * const batch = pairBatch([sentence(1), sentence(3), sentence(2)])
 * console.log(batch.target.sequences.lengths()) // Int32Array(3) [3, 2, 1]
 * console.log(inItemOrder(batch, ['three', 'two', 'one'])) // ['one', 'three', 'two']
 * ```
 */
export function inItemOrder<T>({ items }: Pick<PairBatch, 'items'>, rows: readonly T[]): T[] {
  if (rows.length !== items.length) {
    throw badArgument('inItemOrder', 'rows', `${items.length} results`, rows.length, 'ERR_SHAPE')
  }
  const order = Array.from(items, (_, row) => row).sort((a, b) => items[a]! - items[b]!)
  return order.map(row => rows[row]!)
}

function itemsOf(op: string, pairs: readonly SentencePair[]): PairItem[] {
  checkList(op, 'pairs', pairs, 'sentence pairs')
  return pairs.map(({ source, target }, item) => {
    for (const [name, ids] of Object.entries({ source, target })) {
      if (!(ids instanceof Int32Array)) throw badArgument(op, `pairs[${item}].${name}`, 'an Int32Array', ids)
    }
    return { source, target, item }
  })
}

/** Pairs as one batch. */
function packed(pairs: readonly PairItem[]): PairBatch {
  // Ties are decided by the item, so that a batch does not depend on the order of the epoch.
  const sorted = pairs.toSorted((a, b) => b.target.length - a.target.length || a.item - b.item)
  return {
    source: new PackedIds(sorted.map(({ source }) => source)),
    target: new PackedIds(sorted.map(({ target }) => target)),
    items: Int32Array.from(sorted, ({ item }) => item),
  }
}
