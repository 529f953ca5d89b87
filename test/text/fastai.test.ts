import { describe, expect, test } from 'vitest'
import { FastaiVocabulary, fastaiSpecials, fastaiTokens, withoutSpecials } from '../../src/text/index.js'

describe("fast.ai's rules", () => {
  test.each<[string, string]>([
    // Its rules take entities without their &, so that it stays.
    ['Some HTML&nbsp;text<br />and #39;more#39;', "xxmaj some xxup html & text \n and ' more '"],
    ['&lt;unk&gt; &amp; <unk>', '< unk > & & xxunk'],
    ['I amp;n so', 'i & n so'],
    ['goooood !!!! xx', 'g xxrep 5 o d xxrep 4 ! xx'],
    ['ooo fine', 'ooo fine'],
    ['no no no no way', 'xxwrep 4 no way'],
    ['no no no way', 'no no no way'],
    ['a/b #1', 'a / b # 1'],
    ["I'm sure it isn't, they've SAID", "i 'm sure it is n't , they 've xxup said"],
    ['Über ÄRGER iPhone U', 'xxmaj über xxup ärger iphone u'],
    ['wait... what', 'wait ... what'],
    ['', ''],
  ])('%j', (text, tokens) => {
    expect(fastaiTokens(text).join(' ')).toBe(tokens)
  })

  test.each<[string, string]>([
    ['xxbos xxmaj no xxup way xxrep 4 ! xxwrep 2 bye xxmaj', 'xxbos No WAY !!!! bye bye'],
    // Of two in a row the last one counts.
    ['xxmaj xxup abc d', 'ABC d'],
    ['xxmaj xxrep 3 a b', 'aaa b'],
    ['xxmaj mcDonald', 'Mcdonald'],
    // Without a number, or with an absurd one, neither is written.
    ['xxrep many ! a', '! a'],
    ['xxrep 1000000000 ! a', '! a'],
    ['xxwrep 2', ''],
  ])('%j without specials', (tokens, text) => {
    expect(withoutSpecials(tokens.split(' ')).join(' ')).toBe(text)
  })
})

describe('FastaiVocabulary', () => {
  const documents = [
    ['xxbos', 'b', 'a', 'b'],
    ['xxbos', 'a', 'b', 'rare', 'xxmaj'],
  ]

  test('has the specials, words by frequency, and a size that is a multiple of 8', () => {
    const { itos } = FastaiVocabulary.fromDocuments(documents)
    expect(itos.slice(0, 9)).toEqual(fastaiSpecials)
    expect(itos.slice(9)).toEqual(['b', 'a', 'xxfake', 'xxfake', 'xxfake', 'xxfake', 'xxfake'])
    const few = FastaiVocabulary.fromDocuments(documents, { maxVocabulary: 10, minFrequency: 1 })
    expect(few.itos.slice(9)).toEqual(['b'])
    // Padding may exceed the maximum, as in fast.ai.
    expect(FastaiVocabulary.fromDocuments(documents, { maxVocabulary: 12 }).itos).toHaveLength(16)
  })

  test('unknown words are xxunk, and ids become text', () => {
    const vocabulary = FastaiVocabulary.fromDocuments(documents)
    expect([...vocabulary.numericalize(['a', 'x', 'xxbos'])]).toEqual([10, 0, 2])
    expect(vocabulary.textify([9, 0], '-')).toBe('b-xxunk')
    expect(() => vocabulary.words([99])).toThrow('FastaiVocabulary: id: wanted an id below 16, got 99')
    const older = new FastaiVocabulary(['_unk_', '_pad_', 'the', 'the'])
    expect([older.id('the'), older.id('none')]).toEqual([2, 0])
  })
})
