import { badArgument } from '../errors.js'
import { Generator } from '../random.js'

export interface BatchOrderOptions {
  /** Documents in a batch, at most. */
  batchSize: number
  /** Shuffles the documents, anew at every call. Without it they keep their order. */
  generator?: Generator
  /**
   * Documents of similar length share a batch, shortest batch first, or in shuffled order if there is a `generator`.
   */
  bucketByLength?: boolean
  /**
   * What `bucketByLength` sorts by instead of the lengths: a number of each document in every key, the first key first.
   */
  sortKeys?: readonly ArrayLike<number>[]
  /**
   * A batch ends where its next document would bring it above so many tokens. A longer document is a batch by itself.
   */
  maxTokens?: number
  /**
   * Leaves out the last documents of the order, whatever their length, where they do not fill a batch: they are fewer
   * than `batchSize` and have fewer tokens than `maxTokens`.
   */
  dropLast?: boolean
}

/** One epoch's batches, each a list of indices into `lengths`; none has more than `batchSize`. */
export function batchOrder(lengths: ArrayLike<number>, options: BatchOrderOptions): number[][] {
  const { batchSize, generator, bucketByLength = false, maxTokens = Infinity, dropLast = false } = options
  const { sortKeys = [lengths] } = options
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw badArgument('batchOrder', 'batchSize', 'a positive integer', batchSize)
  }
  if (maxTokens !== Infinity && (!Number.isInteger(maxTokens) || maxTokens < 1)) {
    throw badArgument('batchOrder', 'maxTokens', 'a positive integer', maxTokens)
  }
  const order = Array.from({ length: lengths.length }, (_, i) => i)
  generator?.shuffle(order)
  let batches = cut(order, lengths, batchSize, maxTokens)
  const last = batches.at(-1)
  if (dropLast && last && last.length < batchSize && tokensOf(last, lengths) < maxTokens) batches.pop()
  if (!bucketByLength) return batches

  // Sorted after the last are left out, so that chance leaves documents out and not their length.
  batches = cut(
    batches.flat().sort((a, b) => compare(sortKeys, a, b)),
    lengths,
    batchSize,
    maxTokens,
  )
  return generator?.shuffle(batches) ?? batches
}

/**
 * The batches of an epoch, from 0, as `batchOrder`; a shuffled order depends on the seed and the epoch's number alone.
 * Without `shuffleSeed` the documents keep their order.
 */
export function epochOrder(
  lengths: ArrayLike<number>,
  epoch: number,
  { shuffleSeed, ...options }: Omit<BatchOrderOptions, 'generator'> & { shuffleSeed?: number },
): number[][] {
  const generator = shuffleSeed === undefined ? {} : { generator: new Generator(shuffleSeed, epoch + 1) }
  return batchOrder(lengths, { ...options, ...generator })
}

/** The difference in the first key that differs, else 0. */
function compare(keys: readonly ArrayLike<number>[], a: number, b: number): number {
  for (const key of keys) {
    if (key[a] !== key[b]) return key[a]! - key[b]!
  }
  return 0
}

/** Cuts an order into batches within both bounds. */
function cut(
  order: readonly number[],
  lengths: ArrayLike<number>,
  batchSize: number,
  maxTokens: number,
): number[][] {
  const batches: number[][] = []
  let batch: number[] = []
  let tokens = 0
  for (const i of order) {
    if (batch.length > 0 && (batch.length === batchSize || tokens + lengths[i]! > maxTokens)) {
      batches.push(batch)
      batch = []
      tokens = 0
    }
    batch.push(i)
    tokens += lengths[i]!
  }
  return batch.length > 0 ? [...batches, batch] : batches
}

function tokensOf(batch: readonly number[], lengths: ArrayLike<number>): number {
  return batch.reduce((sum, i) => sum + lengths[i]!, 0)
}
