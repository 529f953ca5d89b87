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

/** The file of sentences that all participants read. */
export interface Sentences {
  /** Batches for training, by name. */
  sets: Record<string, SentenceBatch[]>
  /** Sentences to translate, with marks. */
  sources: number[][]
}

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
  const sorted = pairs.toSorted(shorterFirst)
  const numbers = Array.from({ length: batches }, (_, i) => Math.floor(((i + 0.5) * all) / batches))
  return {
    shuffled: shuffledBatches(pairs, batchSize, new Generator(SEED)).slice(0, batches),
    byLength: numbers.map(i => batchOf(sorted.slice(i * batchSize, (i + 1) * batchSize))),
  }
}

/** All pairs in random order, except those that do not fill a last batch. */
export function shuffledBatches(
  pairs: readonly Pair[],
  batchSize: number,
  generator: Generator,
): SentenceBatch[] {
  const shuffled = generator.shuffle([...pairs])
  return Array.from({ length: Math.floor(pairs.length / batchSize) }, (_, i) =>
    batchOf(shuffled.slice(i * batchSize, (i + 1) * batchSize)),
  )
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
