import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MarkedVocabulary } from '../../src/text/markedVocabulary.js'

const documents = [['a', 'c', 'b'], [], ['b', 'c', 'd'], ['b', 'e']]

describe('MarkedVocabulary', () => {
  it('sorts words by frequency, and equally frequent ones by their first occurrence', () => {
    // b 3, c 2, then a, d and e once each, in this order.
    expect(MarkedVocabulary.fromDocuments(documents).words).toEqual(['b', 'c', 'a', 'd', 'e'])
    expect(MarkedVocabulary.fromDocuments(documents.toReversed()).words).toEqual(['b', 'c', 'e', 'd', 'a'])
  })

  it('leaves out rare words, and those beyond the largest number', () => {
    expect(MarkedVocabulary.fromDocuments(documents, { minCount: 2 }).words).toEqual(['b', 'c'])
    expect(MarkedVocabulary.fromDocuments(documents, { maxWords: 4 }).words).toEqual(['b', 'c', 'a', 'd'])
    expect(MarkedVocabulary.fromDocuments(documents, { minCount: 3, maxWords: 4 }).words).toEqual(['b'])
    expect(MarkedVocabulary.fromDocuments(documents, { minCount: 9 }).size).toBe(3)
  })

  it('encodes with the marks of the options', () => {
    const vocabulary = MarkedVocabulary.fromWords(['der', 'Hund'])
    expect([vocabulary.unk, vocabulary.begin, vocabulary.end, vocabulary.size]).toEqual([0, 1, 2, 5])
    const encoded = (begin: boolean, end: boolean) => [
      ...vocabulary.encode(['Hund', 'x', 'der'], { begin, end }),
    ]
    expect([...vocabulary.encode(['Hund', 'x', 'der'])]).toEqual([4, 0, 3])
    expect(encoded(true, false)).toEqual([1, 4, 0, 3])
    expect(encoded(false, true)).toEqual([4, 0, 3, 2])
    expect(encoded(true, true)).toEqual([1, 4, 0, 3, 2])
    expect([...vocabulary.encode([], { begin: true, end: true })]).toEqual([1, 2])
  })

  it('decodes up to the first end mark, without begin marks, and shows unknown words', () => {
    const vocabulary = MarkedVocabulary.fromWords(['der', 'Hund'])
    expect(vocabulary.decode([1, 3, 0, 4, 2, 3, 99])).toEqual(['der', '<unk>', 'Hund'])
    expect(vocabulary.decode([3, 1, 4])).toEqual(['der', 'Hund'])
    expect(vocabulary.decode(Int32Array.of(2, 3))).toEqual([])
    expect([0, 1, 2, 3, 4].map(id => vocabulary.word(id))).toEqual(['<unk>', '<s>', '</s>', 'der', 'Hund'])
  })

  it('does not take a token of a text for a mark', () => {
    const vocabulary = MarkedVocabulary.fromDocuments([['</s>', 'der']])
    expect([...vocabulary.encode(['</s>', '<s>', 'der'])]).toEqual([3, 0, 4])
    expect(vocabulary.decode([3, 4, 2])).toEqual(['</s>', 'der'])
    expect([vocabulary.has('</s>'), vocabulary.has('<unk>')]).toEqual([true, false])
  })

  it('is the same after JSON, and decodes what it encoded', () => {
    const word = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', '</s>'))
    fc.assert(
      fc.property(fc.array(word), tokens => {
        const vocabulary = MarkedVocabulary.fromDocuments([tokens])
        const restored = MarkedVocabulary.fromJSON(JSON.parse(JSON.stringify(vocabulary)))
        expect(restored.words).toEqual(vocabulary.words)
        const ids = vocabulary.encode(tokens, { begin: true, end: true })
        expect(restored.decode(ids)).toEqual(tokens)
      }),
    )
  })

  it.each<[string, () => unknown, string, string]>([
    [
      'a duplicate word',
      () => MarkedVocabulary.fromWords(['a', 'b', 'a']),
      'ERR_INVALID_ARGUMENT',
      "MarkedVocabulary.fromWords: words: wanted distinct words, got 'a' twice",
    ],
    [
      'a count of 0',
      () => MarkedVocabulary.fromDocuments([], { minCount: 0 }),
      'ERR_OUT_OF_RANGE',
      'minCount: wanted an integer from 1',
    ],
    [
      'half a word',
      () => MarkedVocabulary.fromDocuments([], { maxWords: 0.5 }),
      'ERR_OUT_OF_RANGE',
      'maxWords: wanted an integer from 1',
    ],
    [
      'an id that is none',
      () => MarkedVocabulary.fromWords(['a']).decode([3, 4]),
      'ERR_OUT_OF_RANGE',
      'id: wanted an id below 4, got 4',
    ],
    [
      'JSON without words',
      () => MarkedVocabulary.fromJSON({ word: [] }),
      'ERR_INVALID_ARGUMENT',
      'MarkedVocabulary.fromJSON: words: wanted an array of strings, got undefined',
    ],
    ['JSON that is no object', () => MarkedVocabulary.fromJSON(null), 'ERR_INVALID_ARGUMENT', 'words'],
    [
      'JSON with a number among the words',
      () => MarkedVocabulary.fromJSON({ words: ['a', 3] }),
      'ERR_INVALID_ARGUMENT',
      'words: wanted strings, got 3',
    ],
    [
      'JSON with a word twice',
      () => MarkedVocabulary.fromJSON({ words: ['a', 'a'] }),
      'ERR_INVALID_ARGUMENT',
      "wanted distinct words, got 'a' twice",
    ],
  ])('rejects %s', (_, call, code, message) => {
    expect(call).toThrow(message)
    expect(call).toThrow(expect.objectContaining({ code }))
  })
})
