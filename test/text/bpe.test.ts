import { readFile, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bpe, type Merge, readBpe, writeBpe } from '../../src/text/bpe.js'
import { learnMerges, symbolsOf } from '../../src/text/bpeLearn.js'
import { byCodePoint } from '../../src/text/codePoints.js'
import { temporaryFolder } from './folder.js'

const at = temporaryFolder()

/** The example of Sennrich et al. 2016, section 3.2: how often each word occurs. */
const paper = new Map([
  ['low', 5],
  ['lower', 2],
  ['newest', 6],
  ['widest', 3],
])

/** Algorithm 1 of the paper, word by word: all pairs are counted anew for each merge. */
function learnSlowly(counts: ReadonlyMap<string, number>, most: number, minCount: number): Merge[] {
  let words = Array.from(counts, ([word, count]) => ({ symbols: symbolsOf(word), count }))
  const merges: Merge[] = []
  while (merges.length < most) {
    const pairs = new Map<string, { merge: Merge; count: number }>()
    for (const { symbols, count } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        const merge: Merge = [symbols[i]!, symbols[i + 1]!]
        const key = JSON.stringify(merge)
        pairs.set(key, { merge, count: (pairs.get(key)?.count ?? 0) + count })
      }
    }
    const [best] = [...pairs.values()].sort(
      (a, b) =>
        b.count - a.count || byCodePoint(b.merge[0], a.merge[0]) || byCodePoint(b.merge[1], a.merge[1]),
    )
    if (best === undefined || best.count < minCount) break
    merges.push(best.merge)
    words = words.map(({ symbols, count }) => {
      const merged: string[] = []
      for (let i = 0; i < symbols.length; i++) {
        const isPair = symbols[i] === best.merge[0] && symbols[i + 1] === best.merge[1]
        merged.push(isPair ? best.merge.join('') : symbols[i]!)
        if (isPair) i++
      }
      return { symbols: merged, count }
    })
  }
  return merges
}

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '😀'), minLength: 1, maxLength: 8 })
const counts = fc.array(fc.tuple(word, fc.integer({ min: 1, max: 5 }))).map(some => new Map(some))

describe('learning', () => {
  it('merges the most frequent pair, and of equals the last by code point', () => {
    // `e s` and `s t</w>` occur 9 times, and s comes after e. Then `e st</w>` 9, `l o` 7. Then 6 times each `n e`, `e w` and
    // `w est</w>`; of those left, `n e` and `e west</w>`.
    expect(learnMerges(paper, 6, 2)).toEqual([
      ['s', 't</w>'],
      ['e', 'st</w>'],
      ['l', 'o'],
      ['w', 'est</w>'],
      ['n', 'e'],
      ['ne', 'west</w>'],
    ])
  })

  it('stops where no pair is frequent enough', () => {
    const once = new Map([['abc', 1]])
    expect(learnMerges(once, 9, 2)).toEqual([])
    expect(learnMerges(once, 9, 1)).toEqual([
      ['b', 'c</w>'],
      ['a', 'bc</w>'],
    ])
    expect(learnMerges(new Map([['a', 9]]), 9, 1)).toEqual([])
  })

  it('counts repeated characters as the pairs that they are', () => {
    // `aaaaa`: four pairs, one of them with the end mark. After `a a`: `aa aa a</w>`.
    expect(learnMerges(new Map([['aaaaa', 1]]), 9, 1)).toEqual([
      ['a', 'a'],
      ['aa', 'aa'],
      ['aaaa', 'a</w>'],
    ])
  })

  it('learns what counting anew for each merge learns', () => {
    fc.assert(
      fc.property(
        counts,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 4 }),
        (some, most, min) => {
          expect(learnMerges(some, most, min)).toEqual(learnSlowly(some, most, min))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('sorts characters beyond U+FFFF last', () => {
    expect(['😀', '\ufffd', 'b', 'ab', 'a'].toSorted(byCodePoint)).toEqual(['a', 'ab', 'b', '\ufffd', '😀'])
  })
})

describe('Bpe', () => {
  const texts = Array.from(paper, ([text, count]) => `${text} `.repeat(count))
  const bpe = Bpe.learn(texts, { merges: 6 })

  it('cuts words at what it has learned', () => {
    expect(bpe.encode('newest  lowest wow')).toEqual(['newest', 'lo@@', 'west', 'w@@', 'o@@', 'w'])
    expect(bpe.encode('x ')).toEqual(['x'])
    expect(bpe.encode(' ')).toEqual([])
  })

  it.each([[null], ['ab'], [['a', 3]], [['a']], [['a', 'b c']]])('rejects the merge %j', merge => {
    const merges: unknown = [merge]
    expect(() => new Bpe(merges as [])).toThrow('merges[0]: wanted two symbols')
  })

  it('applies the merge that was learned first, not the first one in the word', () => {
    const merges: Merge[] = [
      ['b', 'c</w>'],
      ['a', 'b'],
    ]
    expect(new Bpe(merges).encode('abc abcb')).toEqual(['a@@', 'bc', 'ab@@', 'c@@', 'b'])
    expect(new Bpe(merges.toReversed()).encode('abc')).toEqual(['ab@@', 'c'])
  })

  it('decodes to the words, with single spaces, also when the last word is not ended', () => {
    expect(bpe.decode(['lo@@', 'west', 'w@@', 'o@@', 'w'])).toBe('lowest wow')
    expect(bpe.decode(['w', 'lo@@'])).toBe('w lo')
    expect(bpe.decode([])).toBe('')
    fc.assert(
      fc.property(counts, fc.array(word), (some, words) => {
        const learned = new Bpe(learnMerges(some, 20, 1))
        expect(learned.decode(learned.encode(words.join('  ')))).toBe(words.join(' '))
      }),
    )
  })

  it('is the same after a file, gzipped or not', async () => {
    const learned = Bpe.learn(['ein Häuschen mit 😀 am Häuschen 😀'], { merges: 20, minCount: 1 })
    await writeBpe(at('merges'), learned)
    const text = await readFile(at('merges'), 'utf8')
    expect(text.split('\n').slice(0, 2)).toEqual(['#version: 0.2', learned.merges[0]!.join(' ')])
    expect((await readBpe(at('merges'))).merges).toEqual(learned.merges)
    await writeFile(at('merges.gz'), gzipSync(text.replaceAll('\n', '\r\n')))
    expect((await readBpe(at('merges.gz'))).merges).toEqual(learned.merges)
  })

  it.each([
    ['another version', '#version: 0.1\na b\n', 'merges:1: wanted #version: 0.2, got #version: 0.1'],
    ['no version', 'a b\n', 'merges:1: wanted #version: 0.2, got a b'],
    ['an empty file', '', 'merges:1: wanted #version: 0.2, got an empty file'],
    ['three symbols', '#version: 0.2\na b\na b c\n', 'merges:3: wanted two symbols, got a b c'],
    ['one symbol', '#version: 0.2\nab\n', 'merges:2: wanted two symbols, got ab'],
    ['an empty line', '#version: 0.2\n\na b\n', 'merges:2: wanted two symbols, got '],
    ['a tab', '#version: 0.2\na\t b\n', 'merges: Bpe: merges[0]: wanted two symbols, got [a\t, b]'],
  ])('rejects a file with %s', async (_, text, message) => {
    await writeFile(at('merges'), text)
    await expect(readBpe(at('merges'))).rejects.toThrow(message)
    await expect(readBpe(at('merges'))).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' })
  })

  it('rejects no words, and bounds below 1', () => {
    expect(() => Bpe.learn([' '], { merges: 1 })).toThrow(expect.objectContaining({ code: 'ERR_EMPTY' }))
    expect(() => Bpe.learn(['a'], { merges: 0 })).toThrow('Bpe.learn: merges: wanted an integer from 1')
    expect(() => Bpe.learn(['a'], { merges: 1, minCount: 0 })).toThrow('minCount: wanted an integer from 1')
  })
})
