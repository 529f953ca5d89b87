import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  inItemOrder,
  type PairBatch,
  pairBatch,
  pairLoader,
  type SentencePair,
} from '../../src/tasks/pairs.js'

/** Pairs with these lengths of source and target; every id is unique among the sources and among the targets. */
function pairsOf(lengths: readonly (readonly [number, number])[]): SentencePair[] {
  const ids = (item: number, length: number) => Int32Array.from({ length }, (_, t) => item * 100 + t)
  return lengths.map(([source, target], item) => ({ source: ids(item, source), target: ids(item, target) }))
}

/** The sentences of a packed batch. */
function sentencesOf({ ids, sequences }: PairBatch['source']): number[][] {
  return Array.from({ length: sequences.batchSize }, (_, b) => [
    ...ids.subarray(sequences.offsets[b]!, sequences.offsets[b + 1]!),
  ])
}

const lengths = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { minLength: 1, maxLength: 60 })

describe('pairBatch', () => {
  test('puts the longest target first, and keeps the order of equals', () => {
    const batch = pairBatch(
      pairsOf([
        [3, 1],
        [0, 2],
        [1, 0],
        [2, 2],
      ]),
    )
    expect([...batch.items]).toEqual([1, 3, 0, 2])
    expect(sentencesOf(batch.target)).toEqual([[100, 101], [300, 301], [0], []])
    expect(sentencesOf(batch.source)).toEqual([[], [300, 301], [0, 1, 2], [200]])
  })

  test('keeps source and target together, whatever the lengths', () => {
    fc.assert(
      fc.property(lengths, some => {
        const pairs = pairsOf(some)
        const batch = pairBatch(pairs)
        const steps = [...batch.target.sequences.lengths()]
        expect(steps).toEqual(steps.toSorted((a, b) => b - a))
        const [sources, targets] = [sentencesOf(batch.source), sentencesOf(batch.target)]
        expect(inItemOrder(batch, sources)).toEqual(pairs.map(({ source }) => [...source]))
        expect(inItemOrder(batch, targets)).toEqual(pairs.map(({ target }) => [...target]))
      }),
    )
  })

  test('rejects a sentence that is not an Int32Array, and another number of results', () => {
    const pairs: unknown[] = [{ source: new Int32Array(1), target: [1, 2] }]
    expect(() => pairBatch(pairs as SentencePair[])).toThrow(
      'pairBatch: pairs[0].target: wanted an Int32Array, got [1, 2]',
    )
    expect(() => inItemOrder({ items: Int32Array.of(1, 0) }, ['a'])).toThrow(
      'inItemOrder: rows: wanted 2 results, got 1',
    )
  })
})

describe('pairLoader', () => {
  test('puts pairs of similar target length, then of similar source length, into a batch', () => {
    const pairs = pairsOf([
      [9, 2],
      [1, 3],
      [5, 2],
      [7, 3],
      [6, 2],
      [2, 1],
    ])
    const loader = pairLoader(pairs, { batchSize: 2, bucketByLength: true })
    const items = [...loader.epoch(0).from(0)].map(({ batch }) => [...batch.items])
    // By (target, source): (1, 2), (2, 5), (2, 6), (2, 9), (3, 1), (3, 7).
    expect(items).toEqual([
      [2, 5],
      [0, 4],
      [1, 3],
    ])
  })

  test('counts the tokens of both sides, and bounds a batch by them', () => {
    const pairs = pairsOf([
      [3, 2],
      [1, 1],
      [4, 4],
    ])
    const loader = pairLoader(pairs, { batchSize: 9, maxTokens: 7 })
    expect([...loader.epoch(0).from(0)].map(({ tokens }) => tokens)).toEqual([7, 8])
  })

  test('has every item once an epoch; the numbers say which', () => {
    fc.assert(
      fc.property(
        lengths,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (some, batchSize, bucketByLength) => {
          const pairs = pairsOf(some)
          const loader = pairLoader(pairs, { batchSize, bucketByLength, shuffle: true, seed: 1 })
          const found: number[][] = []
          for (const { batch } of loader.epoch(0).from(0)) {
            for (const [row, sentence] of sentencesOf(batch.source).entries())
              found[batch.items[row]!] = sentence
          }
          expect(found).toEqual(pairs.map(({ source }) => [...source]))
        },
      ),
    )
  })

  test('rejects an unknown option', () => {
    const options = { batchSize: 1, lengthOff: () => 1 }
    expect(() => pairLoader(pairsOf([[1, 1]]), options)).toThrow('options.lengthOff: wanted a known option')
  })
})
