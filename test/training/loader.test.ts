import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { documentLoader } from '../../src/tasks/classification.js'
import { Batches } from '../../src/text/batches.js'
import { DataLoader } from '../../src/training/loader.js'
import { data } from './short.js'

const items = Array.from({ length: 10 }, (_, i) => i)
const collate = (batch: number[]) => batch
const numbers = (loader: DataLoader<number, number[]>, epoch = 0) =>
  [...loader.epoch(epoch).from(0)].map(({ batch }) => batch)

describe('DataLoader', () => {
  test('divides items in their order; the last batch is smaller or dropped', () => {
    expect(numbers(new DataLoader(items, { collate, batchSize: 4 }))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ])
    expect(numbers(new DataLoader(items, { collate, batchSize: 4, dropLast: true }))).toHaveLength(2)
  })

  test('shuffles depending only on seed and epoch', () => {
    const loader = (seed: number) => new DataLoader(items, { collate, batchSize: 3, shuffle: true, seed })
    expect(numbers(loader(1), 2)).toEqual(numbers(loader(1), 2))
    expect(numbers(loader(1), 2)).not.toEqual(numbers(loader(1), 1))
    expect(numbers(loader(1), 2)).not.toEqual(numbers(loader(2), 2))
    expect(numbers(loader(1), 2).flat().toSorted()).toEqual(items)
  })

  test('limits the tokens of a batch, and counts them', () => {
    const loader = new DataLoader(items, { collate, batchSize: 10, maxTokens: 9, lengthOf: item => item })
    const epoch = loader.epoch(0)
    expect([...epoch.from(0)]).toEqual([
      { batch: [0, 1, 2, 3], tokens: 6 },
      { batch: [4, 5], tokens: 9 },
      { batch: [6], tokens: 6 },
      { batch: [7], tokens: 7 },
      { batch: [8], tokens: 8 },
      { batch: [9], tokens: 9 },
    ])
    expect([epoch.batches, epoch.tokens]).toEqual([6, 45])
  })

  test('sorts by other numbers than the length, where it buckets', () => {
    const sortKeysOf = (item: number) => [item % 3, -item]
    const loader = new DataLoader(items, { collate, batchSize: 4, bucketByLength: true, sortKeysOf })
    expect(numbers(loader)).toEqual([
      [9, 6, 3, 0],
      [7, 4, 1, 8],
      [5, 2],
    ])
    expect(numbers(new DataLoader(items, { collate, batchSize: 10, sortKeysOf }))).toEqual([items])
  })

  test('makes no batch before the first one requested', () => {
    const made: number[][] = []
    const loader = new DataLoader(items, { collate: batch => made.push(batch), batchSize: 4 })
    expect(made).toEqual([])
    for (const _ of loader.epoch(0).from(2));
    expect(made).toEqual([[8, 9]])
  })

  test('`way` is the same with defaults written out', () => {
    const { way } = new DataLoader(items, { collate, batchSize: 4 })
    const written = { shuffle: false, dropLast: false, bucketByLength: false, maxTokens: Infinity, seed: 9 }
    expect(new DataLoader(items, { collate, batchSize: 4, ...written }).way).toBe(way)
    for (const other of [{ shuffle: true }, { dropLast: true }, { bucketByLength: true }, { maxTokens: 5 }]) {
      expect(new DataLoader(items, { collate, batchSize: 4, ...other }).way).not.toBe(way)
    }
    const sorted = new DataLoader(items, { collate, batchSize: 4, bucketByLength: true }).way
    const by = (bucketByLength: boolean) =>
      new DataLoader(items, { collate, batchSize: 4, bucketByLength, sortKeysOf: item => [item] }).way
    expect(by(true)).not.toBe(sorted)
    expect(by(false)).toBe(way)
  })

  test('makes the same batches of documents as text.Batches', () => {
    fc.assert(
      fc.property(
        fc.record({
          batchSize: fc.integer({ min: 1, max: 70 }),
          maxTokens: fc.integer({ min: 1, max: 500 }),
          bucketByLength: fc.boolean(),
          seed: fc.integer({ min: 0, max: 5 }),
        }),
        fc.nat(3),
        ({ seed, ...order }, number) => {
          const wanted = new Batches(data, { ...order, shuffleSeed: seed }).epoch(number)
          const found = documentLoader(data, { ...order, shuffle: true, seed }).epoch(number)
          expect([found.batches, found.tokens]).toEqual([wanted.steps, wanted.tokens])
          const labels = [...found.from(0)].map(({ batch }) => [...batch.labels])
          expect(labels).toEqual([...wanted].map(batch => [...batch.labels]))
        },
      ),
      { seed: 1, numRuns: 50 },
    )
  })

  test.each<[string, () => unknown, string]>([
    [
      'no items',
      () => new DataLoader([], { collate, batchSize: 1 }),
      'DataLoader: items: wanted at least one',
    ],
    [
      'a batch of none',
      () => new DataLoader(items, { collate, batchSize: 0 }),
      'DataLoader: batchSize: wanted a positive integer, got 0',
    ],
    [
      'half a token',
      () => new DataLoader(items, { collate, batchSize: 1, maxTokens: 0.5 }),
      'DataLoader: maxTokens: wanted a positive integer, got 0.5',
    ],
    [
      'a negative length',
      () => new DataLoader(items, { collate, batchSize: 1, lengthOf: item => 3 - item }),
      'DataLoader: lengthOf(items[4]): wanted an integer from 0',
    ],
    [
      'items with another number of sort keys',
      () => new DataLoader(items, { collate, batchSize: 1, sortKeysOf: item => (item < 3 ? [1] : [1, 2]) }),
      'DataLoader: sortKeysOf(items[3]): wanted 1 numbers, as for items[0], got 2',
    ],
    [
      'nothing but a last batch that is left out',
      () => new DataLoader(items, { collate, batchSize: 11, dropLast: true }).epoch(0),
      'DataLoader: dropLast: wanted a full batch, got too few items',
    ],
  ])('refuses %s', (_, call, message) => {
    expect(call).toThrow(message)
  })
})
