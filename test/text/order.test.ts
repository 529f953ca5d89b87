import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Generator } from '../../src/random.js'
import { batchOrder } from '../../src/text/order.js'

const lengths = [5, 1, 4, 2, 3, 9, 8]

describe('batchOrder', () => {
  it('keeps the order of the file without a generator', () => {
    expect(batchOrder(lengths, { batchSize: 3 })).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(batchOrder(lengths, { batchSize: 3, dropLast: true })).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
    expect(batchOrder([], { batchSize: 3 })).toEqual([])
  })

  it('puts documents of similar length together', () => {
    expect(batchOrder(lengths, { batchSize: 3, bucketByLength: true })).toEqual([[1, 3, 4], [2, 0, 6], [5]])
  })

  it('sorts by several keys, the first one first', () => {
    const sortKeys = [
      [2, 1, 2, 1, 1],
      [5, 9, 4, 7, 8],
    ]
    const order = (keys: number[][]) =>
      batchOrder([1, 1, 1, 1, 1], { batchSize: 5, bucketByLength: true, sortKeys: keys })
    expect(order(sortKeys)).toEqual([[3, 4, 1, 2, 0]])
    expect(order(sortKeys.slice(0, 1))).toEqual([[1, 3, 4, 0, 2]])
    expect(order([[1, 1, 1, 1, 1]])).toEqual([[0, 1, 2, 3, 4]])
  })

  it('shuffles the order of such batches, not their content', () => {
    const distinct = Array.from({ length: 64 }, (_, i) => (i * 37) % 64)
    const inOrder = batchOrder(distinct, { batchSize: 4, bucketByLength: true })
    const shuffled = batchOrder(distinct, { batchSize: 4, bucketByLength: true, generator: new Generator(1) })
    expect(shuffled).not.toEqual(inOrder)
    expect(new Set(shuffled.map(String))).toEqual(new Set(inOrder.map(String)))
  })

  it('drops long documents no more often than others', () => {
    const generator = new Generator(1)
    const options = { batchSize: 3, bucketByLength: true, dropLast: true, generator }
    const seen = new Set(Array.from({ length: 50 }, () => batchOrder(lengths, options)).flat(2))
    expect(seen.size).toBe(lengths.length)
  })

  it('uses every document once an epoch, in an order given by seed and epoch', () => {
    const property = fc.property(
      fc.array(fc.nat(1000)),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      fc.boolean(),
      fc.nat(),
      (some, batchSize, bucketByLength, dropLast, seed) => {
        const options = () => ({ batchSize, bucketByLength, dropLast, generator: new Generator(seed) })
        const batches = batchOrder(some, options())
        expect(batches).toEqual(batchOrder(some, options()))

        const indices = batches.flat()
        expect(new Set(indices).size).toBe(indices.length)
        expect(indices.length).toBe(dropLast ? some.length - (some.length % batchSize) : some.length)
        expect(batches.filter(batch => batch.length !== batchSize).length).toBeLessThanOrEqual(
          dropLast ? 0 : 1,
        )
      },
    )
    fc.assert(property)
    const generator = new Generator(1)
    const first = batchOrder(lengths, { batchSize: 3, generator })
    expect(batchOrder(lengths, { batchSize: 3, generator })).not.toEqual(first)
  })

  it('ends a batch before a document that would exceed the maximum of tokens', () => {
    expect(batchOrder(lengths, { batchSize: 3, maxTokens: 7 })).toEqual([[0, 1], [2, 3], [4], [5], [6]])
    expect(batchOrder(lengths, { batchSize: 2, maxTokens: 100 })).toEqual([[0, 1], [2, 3], [4, 5], [6]])
    expect(batchOrder([0, 0, 9, 0], { batchSize: 3, maxTokens: 1 })).toEqual([[0, 1], [2], [3]])
  })

  it('drops a last batch that reaches neither maximum', () => {
    const options = { batchSize: 3, maxTokens: 7, dropLast: true }
    expect(batchOrder([5, 1, 4, 2], options)).toEqual([[0, 1]])
    expect(batchOrder([5, 1, 4, 3], options)).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(batchOrder([5, 1, 1, 9], options)).toEqual([[0, 1, 2], [3]])
    expect(batchOrder([1, 1], options)).toEqual([])
  })

  it('stays within both maxima and uses every document once', () => {
    const property = fc.property(
      fc.array(fc.nat(20)),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      (some, batchSize, maxTokens, bucketByLength) => {
        const batches = batchOrder(some, {
          batchSize,
          maxTokens,
          bucketByLength,
          generator: new Generator(1),
        })
        expect(batches.flat().toSorted((a, b) => a - b)).toEqual(some.map((_, i) => i))
        for (const batch of batches) {
          const tokens = batch.reduce((sum, i) => sum + some[i]!, 0)
          expect(batch.length).toBeLessThanOrEqual(batchSize)
          if (batch.length > 1) expect(tokens).toBeLessThanOrEqual(maxTokens)
        }
      },
    )
    fc.assert(property)
  })

  it.each([0, -1, 1.5, Number.NaN])('rejects a maximum of %s tokens', maxTokens => {
    const refused = () => batchOrder(lengths, { batchSize: 1, maxTokens })
    expect(refused).toThrow('maxTokens: wanted a positive integer')
  })

  it.each([0, -1, 1.5, Number.NaN])('rejects a batch size of %s', batchSize => {
    expect(() => batchOrder(lengths, { batchSize })).toThrow('batchSize: wanted a positive integer')
  })
})
