import { badArgument } from '../errors.js'
import type { Generator } from '../random.js'

export interface BatchOrderOptions {
  batchSize: number
  /** Shuffles the documents, anew at every call. Without it they keep their order. */
  generator?: Generator
  /**
   * Documents of similar length share a batch, shortest batch first, or in shuffled order if there is a `generator`.
   */
  bucketByLength?: boolean
  /** Leaves out the documents that do not fill a batch: the last of the order, whatever their length. */
  dropLast?: boolean
}

/** One epoch's batches, each a list of indices into `lengths`; the last may be smaller than `batchSize`. */
export function batchOrder(lengths: ArrayLike<number>, options: BatchOrderOptions): number[][] {
  const { batchSize, generator, bucketByLength = false, dropLast = false } = options
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw badArgument('batchOrder', 'batchSize', 'a positive integer', batchSize)
  }
  const order = Array.from({ length: lengths.length }, (_, i) => i)
  generator?.shuffle(order)
  // Before the sort, so that chance leaves documents out and not their length.
  if (dropLast) order.length -= order.length % batchSize
  if (bucketByLength) order.sort((a, b) => lengths[a]! - lengths[b]!)

  const batches: number[][] = []
  for (let at = 0; at < order.length; at += batchSize) batches.push(order.slice(at, at + batchSize))
  if (bucketByLength) generator?.shuffle(batches)
  return batches
}
