import { Generator } from '../../random.js'
import type { Pair } from './pairs.js'
import type { TranslationSizes } from './workload.js'

/** A set's name in requests, and in the table. */
export const sets = {
  shuffled: 'batches in random order',
  byLength: 'batches by length',
} as const

export type SetName = keyof typeof sets
export const setNames: readonly SetName[] = ['shuffled', 'byLength']

/** Sentences with marks; the longest target first. */
export interface SentenceBatch {
  source: number[][]
  target: number[][]
}

export type BatchSets = Record<SetName, SentenceBatch[]>

const SEED = 2

/**
 * Some batches of the pairs: the first ones of a random order; and of the pairs sorted by the lengths of target and source, batches
 * at equal distances, so that their lengths are those of all pairs.
 *
 * @throws Error if there are fewer pairs than the batches need
 */
export function batchSetsOf(
  pairs: readonly Pair[],
  { batchSize, batches }: Pick<TranslationSizes, 'batchSize' | 'batches'>,
): BatchSets {
  const all = Math.floor(pairs.length / batchSize)
  if (all < batches) {
    throw new Error(`wanted at least ${batches * batchSize} sentence pairs, got ${pairs.length}`)
  }
  const batch = (from: readonly Pair[], i: number) => batchOf(from.slice(i * batchSize, (i + 1) * batchSize))
  const shuffled = new Generator(SEED).shuffle([...pairs])
  const sorted = pairs.toSorted(shorterFirst)
  const numbers = Array.from({ length: batches }, (_, i) => i)
  return {
    shuffled: numbers.map(i => batch(shuffled, i)),
    byLength: numbers.map(i => batch(sorted, Math.floor(((i + 0.5) * all) / batches))),
  }
}

function shorterFirst(a: Pair, b: Pair): number {
  return a.target.length - b.target.length || a.source.length - b.source.length
}

function batchOf(pairs: Pair[]): SentenceBatch {
  const longestFirst = pairs.toSorted((a, b) => shorterFirst(b, a))
  return { source: longestFirst.map(pair => pair.source), target: longestFirst.map(pair => pair.target) }
}

/** The words that are predicted: those of the target and the mark of its end. */
export function predictedTokens(batches: readonly SentenceBatch[]): number {
  return batches.reduce((sum, { target }) => sum + target.reduce((all, { length }) => all + length - 1, 0), 0)
}
