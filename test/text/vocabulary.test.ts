import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { embeddingTable, UNK, Vocabulary } from '../../src/text/vocabulary.js'

const vectors = { words: ['der', 'Brand', 'glöst'], dim: 2, data: Float32Array.of(1, 2, 3, 4, 5, 6) }

describe('Vocabulary', () => {
  it('numbers words from 1 in the order given', () => {
    const vocabulary = Vocabulary.fromWords(['der', 'Brand'])
    expect(vocabulary.size).toBe(3)
    expect(vocabulary.words).toEqual(['der', 'Brand'])
    expect([...vocabulary.encode(['Brand', 'brand', 'der', ''])]).toEqual([2, UNK, 1, UNK])
    expect([0, 1, 2].map(id => vocabulary.decode(id))).toEqual(['<unk>', 'der', 'Brand'])
    expect([vocabulary.has('der'), vocabulary.has('<unk>')]).toEqual([true, false])
    expect(vocabulary.encode([])).toEqual(new Int32Array())
  })

  it('counts words over documents', () => {
    const documents = [['b', 'a', 'b'], [], ['c', 'a', 'b']]
    expect(Vocabulary.fromDocuments(documents).words).toEqual(['b', 'a', 'c'])
    expect(Vocabulary.fromDocuments(documents, { minCount: 2 }).words).toEqual(['b', 'a'])
    expect(Vocabulary.fromDocuments(documents, { minCount: 4 }).size).toBe(1)
  })

  it("reserves id 1 for padding 'own'", () => {
    const vocabulary = Vocabulary.fromWords(['der', 'Brand'], { padding: 'own' })
    expect([vocabulary.size, vocabulary.firstId, vocabulary.paddingId]).toEqual([4, 2, 1])
    expect([...vocabulary.encode(['Brand', 'brand', 'der', '<pad>'])]).toEqual([3, UNK, 2, UNK])
    expect([0, 1, 2, 3].map(id => vocabulary.decode(id))).toEqual(['<unk>', '<pad>', 'der', 'Brand'])
    expect(Vocabulary.fromDocuments([['a']], { padding: 'own' }).size).toBe(3)
    const shared = Vocabulary.fromWords(['der'])
    expect([shared.padding, shared.paddingId]).toEqual(['shared', UNK])
  })

  it('decodes what it encoded, also names of object properties', () => {
    const words = fc.uniqueArray(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor')))
    fc.assert(
      fc.property(words, tokens => {
        const vocabulary = Vocabulary.fromDocuments([tokens])
        expect(Array.from(vocabulary.encode(tokens), id => vocabulary.decode(id))).toEqual(tokens)
      }),
    )
  })

  it('rejects a duplicate word, an invalid id and an invalid count', () => {
    const vocabulary = Vocabulary.fromWords(['der'])
    expect(() => Vocabulary.fromWords(['der', 'Brand', 'der'])).toThrow(
      "wanted distinct words, got 'der' twice",
    )
    for (const id of [-1, 2, 0.5]) {
      expect(() => vocabulary.decode(id)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
    }
    for (const minCount of [0, 1.5]) {
      expect(() => Vocabulary.fromDocuments([], { minCount })).toThrow('minCount: wanted a positive integer')
    }
  })
})

describe('embeddingTable', () => {
  it('puts the vector of id i in row i', () => {
    const vocabulary = Vocabulary.fromWords(['glöst', 'der', 'Brand'])
    const table = embeddingTable(vocabulary, vectors, { unk: 'zero' })
    expect([...table]).toEqual([0, 0, 5, 6, 1, 2, 3, 4])
  })

  it.each([
    ['zero', [0, 0]],
    ['mean', [3, 4]],
  ] as const)('fills the rows of UNK and of words without a vector: %s', (unk, row) => {
    const table = embeddingTable(Vocabulary.fromWords(['Krull', 'der']), vectors, { unk })
    expect([...table]).toEqual([...row, ...row, 1, 2])
  })

  it("fills the row of padding 'own' with zeros, and shifts the others", () => {
    const vocabulary = Vocabulary.fromWords(['Krull', 'der'], { padding: 'own' })
    const table = embeddingTable(vocabulary, vectors, { unk: 'mean' })
    expect([...table]).toEqual([3, 4, 0, 0, 3, 4, 1, 2])
  })

  it('draws those rows from [0, 1), one by one, by seed', () => {
    const wide = { words: ['der'], dim: 1000, data: new Float32Array(1000).fill(7) }
    const vocabulary = Vocabulary.fromWords(['Krull', 'der'])
    const table = embeddingTable(vocabulary, wide, { seed: 1 })
    const drawn = [...table.subarray(0, 2000)]
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...drawn)).toBeLessThan(1)
    expect(drawn.reduce((sum, value) => sum + value) / 2000).toBeCloseTo(0.5, 1)
    expect(new Set(drawn).size).toBeGreaterThan(1990)
    expect([...table.subarray(2000)]).toEqual([...wide.data])
    expect(embeddingTable(vocabulary, wide, { unk: 'uniform', seed: 1 })).toEqual(table)
    expect(embeddingTable(vocabulary, wide, { seed: 2 })).not.toEqual(table)
  })

  it('rejects data of another size, and the mean of no vectors', () => {
    const vocabulary = Vocabulary.fromWords(['der'])
    expect(() => embeddingTable(vocabulary, { ...vectors, dim: 3 })).toThrow(
      expect.objectContaining({ code: 'ERR_SHAPE' }),
    )
    const none = { words: [], dim: 2, data: new Float32Array() }
    expect(() => embeddingTable(vocabulary, none, { unk: 'mean' })).toThrow(
      expect.objectContaining({ code: 'ERR_EMPTY' }),
    )
  })
})
