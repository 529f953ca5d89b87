import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ChrfOptions, chrf, chrfCounts, chrfOf } from '../../src/scores/chrf.js'
import { exactMatches } from '../../src/scores/exact.js'

const score = (hypotheses: string[], references: (string | string[])[], options: ChrfOptions = {}) =>
  chrf(hypotheses, references, options).score

describe('chrF', () => {
  test('is the F score of the mean precision and recall', () => {
    // Characters a b c x beside a b c d: 3 of 4 and 3 of 4. Pairs ab bc cx beside ab bc cd: 2 of 3 and 2 of 3.
    // Precision and recall are both (3/4 + 2/3) / 2 = 0.7083333, and so is F for every β.
    expect(score(['abcx'], ['abcd'], { charOrder: 2 })).toBeCloseTo(70.83333, 5)
    // One order. Precision 2/2, recall 2/4: F2 = 5 · 1 · 0.5 / (4 · 1 + 0.5) = 0.5555556, F1 = 2 · 0.5 / 1.5.
    expect(score(['ab'], ['abcd'], { charOrder: 1 })).toBeCloseTo(55.55556, 5)
    expect(score(['ab'], ['abcd'], { charOrder: 1, beta: 1 })).toBeCloseTo(66.66667, 5)
    // β = 0 is the precision alone.
    expect(score(['ab'], ['abcd'], { charOrder: 1, beta: 0 })).toBeCloseTo(100, 10)
  })

  test('removes white space, or counts it', () => {
    expect(score(['a b\u3000c'], ['abc'])).toBeCloseTo(100, 10)
    // a, space, b beside a, b: precision 2/3, recall 1: F2 = 5 · 2/3 / (4 · 2/3 + 1) = 0.9090909.
    expect(score(['a b'], ['ab'], { charOrder: 1, whitespace: true })).toBeCloseTo(90.90909, 5)
  })

  test('leaves out orders that one side lacks, or counts them as almost nothing', () => {
    // Orders 1 and 2 are right, orders 3 to 6 are in neither.
    expect(score(['ab'], ['ab'])).toBeCloseTo(100, 10)
    expect(score(['ab'], ['ab'], { epsSmoothing: true })).toBeCloseTo(100 / 3, 10)
  })

  test('counts code points, and ignores case with `lowercase`', () => {
    expect(score(['😀'], ['😁'])).toBe(0)
    expect(score(['AB'], ['ab'])).toBe(0)
    expect(score(['AB'], ['ab'], { lowercase: true })).toBeCloseTo(100, 10)
  })

  test('takes the reference with the best score for each sentence', () => {
    expect(score(['abc', 'xyz'], [['abd', 'abc'], 'xyz'])).toBeCloseTo(100, 10)
    const counts = chrfCounts(['abc'], [['abcd', 'abx']], { charOrder: 1 })
    expect(counts).toEqual({ chrfChar1Hypothesis: 3, chrfChar1Reference: 4, chrfChar1Matches: 3 })
  })

  test('of an empty reference is 0, also for an empty hypothesis', () => {
    expect([score(['a'], ['']), score([''], [''])]).toEqual([0, 0])
  })

  test('does not count n-grams of an order that the reference lacks', () => {
    expect(chrfCounts(['abc'], ['a'], { charOrder: 2 })).toEqual({
      ...{ chrfChar1Hypothesis: 3, chrfChar1Reference: 1, chrfChar1Matches: 1 },
      ...{ chrfChar2Hypothesis: 0, chrfChar2Reference: 0, chrfChar2Matches: 0 },
    })
  })

  test('of words separates one mark from each', () => {
    // (hi) is `(hi` and `)`, so the words are: (hi ) there ! beside ( hi there !
    const counts = chrfCounts(['(hi) there!'], ['(hi there!'], { charOrder: 1, wordOrder: 2 })
    expect(counts).toMatchObject({ chrfWord1Hypothesis: 4, chrfWord1Reference: 4, chrfWord1Matches: 2 })
    expect(counts).toMatchObject({ chrfWord2Hypothesis: 3, chrfWord2Reference: 3, chrfWord2Matches: 1 })
  })

  test('of batches adds up to that of the whole', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab .'), minLength: 1 })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 2 }), fc.nat(9), (some, cut) => {
        const options = { charOrder: 3, wordOrder: 2 }
        const counts = (part: typeof some) =>
          chrfCounts(
            part.map(([hypothesis]) => hypothesis),
            part.map(([, reference]) => reference),
            options,
          )
        const [first, second, whole] = [counts(some.slice(0, cut)), counts(some.slice(cut)), counts(some)]
        for (const [name, value] of Object.entries(whole)) expect(first[name]! + second[name]!).toBe(value)
        const hypotheses = some.map(([hypothesis]) => hypothesis)
        const references = some.map(([, reference]) => reference)
        expect(chrfOf(whole, options)).toBe(chrf(hypotheses, references, options).score)
      }),
    )
  })
})

/** Numbers of sacreBLEU's own tests (mjpost/sacrebleu, test/test_chrf.py), which use β = 3 for a corpus. */
describe('sacreBLEU', () => {
  test.each<[string, string, number]>([
    ['abcdefg', 'hijklmnop', 0],
    ['a', 'b', 0],
    ['', 'reference', 0],
    ['aa', 'ab', 8.3333],
    ['a', 'a', 16.6667],
    ['a b c', 'a b c', 50],
    ['a b c', 'abc', 50],
    [
      ' risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .',
      'risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists .',
      63.36173,
    ],
    [
      ' Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. ',
      'Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.',
      64.1302698,
    ],
  ])('with eps: %j', (hypothesis, reference, wanted) => {
    expect(score([hypothesis], [reference], { beta: 3, epsSmoothing: true })).toBeCloseTo(wanted, 3)
  })

  test('with eps: two sentences', () => {
    expect(score(['a', 'b'], ['a', 'c'], { beta: 3, epsSmoothing: true })).toBeCloseTo(8.3333, 3)
  })

  test.each<[string[], string[], number]>([
    [['a'], ['a'], 100],
    [[''], ['reference'], 0],
    [['a b c'], ['abc'], 100],
    [['a', 'b'], ['a', 'c'], 50],
    [['aa'], ['ab'], 25],
  ])('without eps: %j', (hypotheses, references, wanted) => {
    expect(score(hypotheses, references, { beta: 3 })).toBeCloseTo(wanted, 6)
  })

  test.each<[string, string, number]>([
    [
      'Die Beziehung zwischen Obama und Netanjahu ist nicht gerade freundlich.',
      'Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.',
      67.3481606,
    ],
    [
      'risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .',
      'risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists .',
      65.2414427,
    ],
  ])('with white space: %j', (hypothesis, reference, wanted) => {
    expect(score([hypothesis], [reference], { beta: 3, whitespace: true })).toBeCloseTo(wanted, 4)
  })

  test.each<[string, string, number]>([
    [
      'Co nás nejvíc trápí, protože lékaři si vybírají, kdo bude žít a kdo zemře.',
      'Nejvíce smutní jsme z toho, že musíme rozhodovat o tom, kdo bude žít a kdo zemře.',
      39.14078509,
    ],
    [
      'Nebo prostě nemají vybavení, které by jim pomohlo, uvedli lékaři.',
      'A někdy nemáme ani potřebný materiál, abychom jim pomohli, popsali lékaři.',
      31.22557079,
    ],
    [
      'Lapali po dechu, jejich životy skončily dřív, než skutečně začaly.',
      'Lapali po dechu a pak jejich život skončil - dřív, než skutečně mohl začít, připomněli.',
      57.15704367,
    ],
  ])('a sentence: %j', (hypothesis, reference, wanted) => {
    expect(score([hypothesis], [reference], { epsSmoothing: true })).toBeCloseTo(wanted, 4)
  })
})

test('the signature has all settings', () => {
  const settings = (options: ChrfOptions) =>
    chrf(['a'], [['a', 'b']], options).signature.split('|version:')[0]
  expect(settings({})).toBe('nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no')
  expect(settings({ lowercase: true, wordOrder: 2, whitespace: true, epsSmoothing: true })).toBe(
    'nrefs:2|case:lc|eff:no|nc:6|nw:2|space:yes',
  )
  expect(chrf([], []).signature).toMatch(/\|version:packed-rnn-\d+\.\d+\.\d+$/)
})

test('exact matches are counted', () => {
  expect(exactMatches(['ging', 'Ging', '', 'ging '], ['ging', 'ging', '', 'ging'])).toBe(2)
  expect(exactMatches([], [])).toBe(0)
})

test.each<[string, () => unknown, string, string]>([
  ['order 0', () => chrf([], [], { charOrder: 0 }), 'ERR_OUT_OF_RANGE', 'chrf: charOrder: wanted an integer'],
  ['half a word', () => chrfOf({}, { wordOrder: 0.5 }), 'ERR_OUT_OF_RANGE', 'chrfOf: wordOrder: wanted'],
  ['a negative β', () => chrfCounts([], [], { beta: -1 }), 'ERR_OUT_OF_RANGE', 'chrfCounts: beta: wanted'],
  [
    'counts of fewer orders',
    () => chrfOf(chrfCounts([], [], { charOrder: 2 }), { charOrder: 3 }),
    'ERR_INVALID_ARGUMENT',
    'chrfOf: counts.chrfChar3Hypothesis: wanted a number, got undefined',
  ],
  ['no reference', () => chrf(['a'], [[]]), 'ERR_EMPTY', 'chrf: references[0]: wanted at least one'],
  ['too many references', () => exactMatches([], ['a']), 'ERR_SHAPE', 'exactMatches: references: wanted'],
])('%s is an error', (_, call, code, message) => {
  expect(call).toThrow(message)
  expect(call).toThrow(expect.objectContaining({ code }))
})
