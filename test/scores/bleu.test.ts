import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BleuOptions,
  bleu,
  bleuCounts,
  bleuOf,
  bleuSignature,
  sentenceBleu,
} from '../../src/scores/bleu.js'
import { type BleuTokenizer, bleuTokens } from '../../src/scores/bleuTokens.js'

const sum = (parts: readonly Record<string, number>[]) =>
  parts.reduce<Record<string, number>>((total, part) => {
    for (const [name, value] of Object.entries(part)) total[name] = (total[name] ?? 0) + value
    return total
  }, {})

/** Counts from the matches and the n-grams of each order. */
const countsOf = (matches: number[], ngrams: number[], length: number, referenceLength: number) => ({
  ...Object.fromEntries(matches.map((count, i) => [`bleuMatches${i + 1}`, count])),
  ...Object.fromEntries(ngrams.map((count, i) => [`bleuNgrams${i + 1}`, count])),
  ...{ bleuLength: length, bleuReferenceLength: referenceLength },
})

describe('tokenizers', () => {
  test.each<[BleuTokenizer, string, string]>([
    ['none', ' a  b\u00a0c.\n', 'a|b|c.'],
    ['13a', 'He said: "3.5% of 1,000 (9-5)".', 'He|said|:|"|3.5|%|of|1,000|(|9|-|5|)|"|.'],
    // Hyphens and apostrophes stay inside words, marks beyond ASCII everywhere.
    ['13a', "Don't re-do it—now, U.S.!", "Don't|re-do|it—now|,|U|.|S|.|!"],
    ['13a', '&quot;a&quot; &lt;b&gt; &amp;c <skipped>d', '"|a|"|<|b|>|&|c|d'],
    ['13a', 'in 1999.', 'in|1999|.'],
    // mteval-v14.pl leaves a mark after a number at the end of a text.
    ['intl', 'in 1999.', 'in|1999.'],
    ['intl', '3.5% of 1,000—yes, 2€ + 1', '3.5|%|of|1,000|—|yes|,|2|€|+|1'],
    ['intl', "„Ja“, don't &amp;", "„|Ja|“|,|don|'|t|&|amp|;"],
    ['char', 'ab 😀.', 'a|b|😀|.'],
    ['13a', '', ''],
    ['intl', ' \u2003', ''],
  ])('%s splits %j', (tokenizer, text, tokens) => {
    expect(bleuTokens(text, tokenizer, false).join('|')).toBe(tokens)
  })

  test('ignore case with `lowercase`', () => {
    expect(bleuTokens('Ein HUND', '13a', true)).toEqual(['ein', 'hund'])
  })
})

describe('counts', () => {
  test('an n-gram matches as often as it is in the reference that has most of it', () => {
    // the: 4, of which the first reference has 2 and the second 3; a: 1, in the second only.
    const counts = bleuCounts(['the the the the a'], [['the cat the', 'a the the the x y z']])
    expect([counts.bleuMatches1, counts.bleuNgrams1]).toEqual([4, 5])
    // `the the`: 3, of which the second has 2; `the a`: in none.
    expect([counts.bleuMatches2, counts.bleuNgrams2]).toEqual([2, 4])
    expect([counts.bleuMatches3, counts.bleuNgrams3]).toEqual([1, 3])
    expect([counts.bleuMatches4, counts.bleuNgrams4]).toEqual([0, 2])
  })

  test.each([
    ['the nearest', ['a b', 'a b c d e f g'], 2],
    ['the shorter of two', ['a b c d e f', 'a b'], 2],
    ['the shorter of two, first', ['a b', 'a b c d e f'], 2],
    ['the equal one', ['a', 'a b c d', 'a b c d e'], 4],
  ])('the reference length is %s', (_, references, length) => {
    expect(bleuCounts(['a b c d'], [references]).bleuReferenceLength).toBe(length)
  })

  test('an empty reference is one of length 0', () => {
    expect(bleuCounts(['a', 'a b c'], ['', ['', 'a b']])).toMatchObject({
      ...{ bleuMatches1: 2, bleuNgrams1: 4, bleuLength: 4, bleuReferenceLength: 2 },
    })
  })

  test('of batches add up to those of the whole', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', '.'), { minLength: 1 }).map(words => words.join(' '))
    const pairs = fc.array(fc.tuple(text, fc.array(text, { minLength: 1, maxLength: 3 })), { minLength: 1 })
    fc.assert(
      fc.property(pairs, fc.nat(20), (some, cut) => {
        const counts = (part: typeof some) =>
          bleuCounts(
            part.map(([hypothesis]) => hypothesis),
            part.map(([, references]) => references),
          )
        expect(sum([counts(some.slice(0, cut)), counts(some.slice(cut))])).toEqual(counts(some))
      }),
    )
  })
})

describe('the score', () => {
  // Matches 3 of 4, 1 of 3, 0 of 2, 0 of 1; 4 tokens beside 6: brevity penalty exp(1 − 6/4) = 0.6065307.
  const counts = bleuCounts(['the cat the cat'], ['the cat sat on the mat'])

  test.each<[string, BleuOptions, number[], number]>([
    // 75, 100/3, 100/(2·2), 100/(4·1): (75 · 33.333 · 25 · 25)^¼ = 35.355339.
    ['exp', {}, [75, 33.333333, 25, 25], 21.444097],
    // 100 · 0.1/2 = 5 and 100 · 0.1/1 = 10: (75 · 33.333 · 5 · 10)^¼ = 18.803015.
    ['floor', { smooth: 'floor' }, [75, 33.333333, 5, 10], 11.404606],
    // 100 · 0.5/2 = 25 and 100 · 0.5/1 = 50: (75 · 33.333 · 25 · 50)^¼ = 42.044821.
    ['floor 0.5', { smooth: 'floor', smoothValue: 0.5 }, [75, 33.333333, 25, 50], 25.501474],
    // (1 + 1)/(3 + 1), (0 + 1)/(2 + 1), (0 + 1)/(1 + 1): (75 · 50 · 33.333 · 50)^¼ = 50.
    ['add-k', { smooth: 'add-k' }, [75, 50, 33.333333, 50], 30.326533],
    ['none', { smooth: 'none' }, [75, 33.333333, 0, 0], 0],
  ])('with smoothing %s', (_, options, precisions, score) => {
    const found = bleuOf(counts, options)
    expect(found.brevityPenalty).toBeCloseTo(0.6065307, 7)
    for (const [i, precision] of precisions.entries()) expect(found.precisions[i]).toBeCloseTo(precision, 6)
    expect(found.score).toBeCloseTo(score, 5)
  })

  test('has no penalty for length, and ignores what else was added up', () => {
    // Precisions 4/5, 3/4, 2/3, 1/2: their product is 0.2, and 0.2^¼ = 0.66874030.
    const longer = bleuCounts(['a b c d x'], ['a b c d'])
    const sums = { ...longer, loss: 3, weight: 1 }
    expect(bleuOf(sums)).toMatchObject({ brevityPenalty: 1, length: 5, referenceLength: 4 })
    expect(bleuOf(sums).score).toBeCloseTo(66.87403, 5)
  })

  test('leaves out orders that no hypothesis reaches, with `effectiveOrder`', () => {
    const options = { tokenize: 'none' } as const
    expect(bleu(['ein Hund'], ['ein Hund'], options).score).toBe(0)
    expect(bleu(['ein Hund'], ['ein Hund'], { ...options, effectiveOrder: true }).score).toBeCloseTo(100, 10)
    expect(sentenceBleu('ein Hund', 'ein Hund').score).toBeCloseTo(100, 10)
  })

  test('is 0 for empty hypotheses, and defined for no sentences at all', () => {
    expect(bleu(['', ''], ['a b c d', 'e'])).toMatchObject({ score: 0, brevityPenalty: 0, length: 0 })
    expect(bleuOf(bleuCounts([], []))).toMatchObject({ score: 0, length: 0, referenceLength: 0 })
  })
})

/** Numbers of sacreBLEU's own tests (mjpost/sacrebleu, test/test_bleu.py and test/test_sentence_bleu.py). */
describe('sacreBLEU', () => {
  const hypotheses = ['The dog bit the man.', "It wasn't surprising.", 'The man had just bitten him.']
  const references = [
    ['The dog bit the man.', 'The dog had bit the man.'],
    ['It was not unexpected.', 'No one was surprised.'],
    ['The man bit him first.', 'The man had bitten the dog.'],
  ]
  test.each<[BleuOptions, number]>([
    [{}, 48.530827],
    [{ tokenize: 'none' }, 49.1919566],
    [{ tokenize: '13a' }, 48.530827],
    [{ tokenize: 'intl' }, 43.91623493],
    [{ smooth: 'none' }, 48.530827],
  ])('a corpus with two references, %j', (options, score) => {
    expect(bleu(hypotheses, references, options).score).toBeCloseTo(score, 6)
  })

  test.each<[BleuOptions, number]>([
    [{}, 8.493],
    [{ smooth: 'none' }, 0],
    [{ smooth: 'floor' }, 4.51688],
    [{ smooth: 'floor', smoothValue: 0.1 }, 4.51688],
    [{ smooth: 'floor', smoothValue: 0.5 }, 10.1],
    [{ smooth: 'add-k' }, 14.882],
    [{ smooth: 'add-k', smoothValue: 2 }, 21.389],
    [{ tokenize: 'none' }, 7.347],
    [{ tokenize: 'intl' }, 8.493],
    [{ tokenize: 'char' }, 40.8759],
    [{ tokenize: 'char', lowercase: true }, 42.0267],
  ])('a sentence, %j', (options, score) => {
    const hypothesis = 'Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;'
    const reference = 'producţia de zahăr brut se exprimă în zahăr alb;'
    expect(Math.abs(sentenceBleu(hypothesis, reference, options).score - score)).toBeLessThan(1e-3)
  })

  test.each(['exp', 'floor', 'add-k', 'none'] as const)('no match at all, %s', smooth => {
    expect(sentenceBleu('this is a cat', 'okay thanks', { smooth }).score).toBe(0)
  })

  test.each<[string[], string[], number]>([
    [['this is a test', 'another test'], ['ref1', 'ref2'], 0],
    [['this is a test'], ['this is a test'], 100],
    [['this is a fest'], ['this is a test'], 22.3606797749979],
    [['test'], ['a test'], 36.78794411714425],
    [['a test'], ['a test'], 100],
    [['a little test'], ['a test'], 3.218297948685433],
  ])('floor 0.01 and effective order: %j', (given, wanted, score) => {
    const options = { tokenize: 'none', smooth: 'floor', smoothValue: 0.01, effectiveOrder: true } as const
    expect(bleu(given, wanted, options).score).toBeCloseTo(score, 6)
  })

  test('counts', () => {
    const counts = bleuCounts(['am I am a character sequence'], ['I am a symbol string sequence a a'])
    expect(counts).toEqual(countsOf([4, 2, 1, 0], [6, 5, 4, 3], 6, 8))
    expect(bleuOf(countsOf([9, 7, 5, 3], [10, 8, 6, 4], 11, 11)).score).toBeCloseTo(83.75922397, 7)
    const floor = { smooth: 'floor', smoothValue: 0.01 } as const
    expect(bleuOf(countsOf([6, 5, 4, 0], [6, 5, 4, 3], 6, 6), { ...floor, smoothValue: 0 }).score).toBe(0)
    expect(bleuOf(countsOf([0, 0, 0, 0], [0, 0, 0, 0], 1, 5), floor).score).toBe(0)
  })
})

describe('the signature', () => {
  const version = /\|version:packed-rnn-\d+\.\d+\.\d+$/
  test.each<[BleuOptions, string]>([
    [{}, 'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp'],
    [{ lowercase: true, tokenize: 'intl' }, 'nrefs:1|case:lc|eff:no|tok:intl|smooth:exp'],
    [{ smooth: 'add-k', effectiveOrder: true }, 'nrefs:1|case:mixed|eff:yes|tok:13a|smooth:add-k[1.00]'],
    [{ smooth: 'floor', smoothValue: 0.25 }, 'nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.25]'],
  ])('of %j', (options, settings) => {
    expect(bleuSignature(options)).toMatch(version)
    expect(bleuSignature(options).replace(version, '')).toBe(settings)
  })

  test('has the number of references', () => {
    expect(
      bleu(
        ['a', 'b'],
        [
          ['a', 'b'],
          ['c', 'd'],
        ],
      ).signature,
    ).toMatch(/^nrefs:2\|/)
    expect(bleu(['a', 'b'], ['a', ['c', 'd']]).signature).toMatch(/^nrefs:var\|/)
    expect(sentenceBleu('a', 'a').signature).toMatch(/^nrefs:1\|case:mixed\|eff:yes\|/)
  })
})

test.each<[string, () => unknown, string, string]>([
  ['too few references', () => bleu(['a', 'b'], ['a']), 'ERR_SHAPE', 'bleu: references: wanted those of 2'],
  [
    'no reference',
    () => bleuCounts(['a', 'b'], ['a', []]),
    'ERR_EMPTY',
    'bleuCounts: references[1]: wanted at least one reference, got none',
  ],
  [
    'an unknown tokenizer',
    () => bleu([], [], { tokenize: 'zh' as 'intl' }),
    'ERR_INVALID_ARGUMENT',
    'bleu: tokenize: wanted one of none, 13a, intl, char, got zh',
  ],
  [
    'an unknown smoothing',
    () => bleuOf({}, { smooth: 'add' as 'exp' }),
    'ERR_INVALID_ARGUMENT',
    'bleuOf: smooth: wanted one of exp, floor, add-k, none, got add',
  ],
  [
    'a value for a smoothing that has none',
    () => bleuSignature({ smoothValue: 1 }),
    'ERR_INVALID_ARGUMENT',
    'bleuSignature: smoothValue: wanted none, with smoothing exp, got 1',
  ],
  [
    'a negative value',
    () => bleuOf({}, { smooth: 'floor', smoothValue: -1 }),
    'ERR_OUT_OF_RANGE',
    'bleuOf: smoothValue: wanted a number from 0',
  ],
  [
    'sums without counts',
    () => bleuOf({ loss: 1, bleuLength: 1 }),
    'ERR_INVALID_ARGUMENT',
    'bleuOf: counts.bleuReferenceLength: wanted a number, got undefined',
  ],
  [
    'tokens instead of a text',
    () => bleu([['a'] as unknown as string], ['a']),
    'ERR_INVALID_ARGUMENT',
    'bleu: hypotheses[0]: wanted a string, got [a]',
  ],
])('%s is an error', (_, call, code, message) => {
  expect(call).toThrow(message)
  expect(call).toThrow(expect.objectContaining({ code }))
})
