import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readArticles } from '../../src/text/gnad.js'
import { inspectArticles, paddingEfficiency, quantiles } from '../../src/text/statistics.js'
import { readWordVectors } from '../../src/text/vectors.js'
import { dataFolder } from '../data.js'

describe('quantiles', () => {
  it('interpolates between numbers', () => {
    const numbers = [5, 1, 2, 4, 3, 6, 7, 8, 9, 20]
    expect(quantiles(numbers)).toEqual({
      min: 1,
      median: 5.5,
      mean: 6.5,
      p90: expect.closeTo(10.1, 10),
      p99: expect.closeTo(19.01, 10),
      max: 20,
    })
    expect(quantiles([3])).toEqual({ min: 3, median: 3, mean: 3, p90: 3, p99: 3, max: 3 })
    expect(() => quantiles([])).toThrow(expect.objectContaining({ code: 'ERR_EMPTY' }))
  })
})

describe('paddingEfficiency', () => {
  it('is the share of real tokens, batch by batch', () => {
    const lengths = [4, 1, 3, 2, 5]
    expect(paddingEfficiency(lengths, { batchSize: 2 })).toBe(15 / (8 + 6 + 5))
    expect(paddingEfficiency(lengths, { batchSize: 2, bucketByLength: true })).toBe(15 / (4 + 8 + 5))
    expect(paddingEfficiency(lengths)).toBe(15 / 25)
  })

  it('is 1 without tokens', () => {
    expect(paddingEfficiency([0, 0])).toBe(1)
    expect(paddingEfficiency([])).toBe(1)
  })
})

describe('inspectArticles', () => {
  const articles = [
    { category: 'Web', text: 'a b, c' },
    { category: 'Etat', text: '' },
    { category: 'Web', text: 'a a' },
  ]

  it('counts articles, tokens and unknown words', () => {
    const { categories, long, tokenizers } = inspectArticles(articles, {
      long: 1,
      nth: 1,
      known: new Set(['a', 'b']),
    })
    expect(categories).toEqual([
      { name: 'Web', count: 2 },
      { name: 'Etat', count: 1 },
    ])
    expect(long).toEqual({ above: 1, count: 2, share: 2 / 3, nth: 1, text: 'a a' })
    expect(tokenizers).toMatchObject([
      { tokenizer: 'whitespace', tokens: 5, distinct: 3, unknown: { tokens: 2 / 5, distinct: 2 / 3 } },
      { tokenizer: 'words', tokens: 6, distinct: 4, unknown: { tokens: 2 / 6, distinct: 2 / 4 } },
    ])
    expect(tokenizers[0]).toMatchObject({ lengths: { min: 0, max: 3 }, padding: { all: 5 / 9 } })
  })

  it('is null without vectors and without such an article', () => {
    const { long, tokenizers } = inspectArticles(articles)
    expect(long).toEqual({ above: 100, count: 0, share: 0, nth: 13, text: null })
    expect(tokenizers.map(({ unknown }) => unknown)).toEqual([null, null])
    expect(() => inspectArticles([])).toThrow(expect.objectContaining({ code: 'ERR_EMPTY' }))
  })
})

const data = dataFolder()

describe.skipIf(data === null)('712 articles of 10kGNAD (skipped without a data folder)', () => {
  const file = join(data ?? '', 'gnad', 'articles.csv')

  it('has the measured lengths and cost of padding', async () => {
    const { long, tokenizers } = inspectArticles(await readArticles(file))
    expect(long).toMatchObject({ count: 676, share: 676 / 712 })
    expect(long.text).toMatch(/^Neue Studie zu Qualifikationen von Asylberechtigten/)
    expect(tokenizers).toMatchObject([
      {
        tokens: 255530,
        distinct: 53608,
        lengths: {
          min: 7,
          median: 287,
          p90: expect.closeTo(640.7, 6),
          p99: expect.closeTo(1291.95, 6),
          max: 4800,
        },
        padding: {
          batches: [
            { batchSize: 32, inOrder: expect.closeTo(0.251, 3), byLength: expect.closeTo(0.861, 3) },
            { batchSize: 64, inOrder: expect.closeTo(0.19, 3), byLength: expect.closeTo(0.796, 3) },
            { batchSize: 256, inOrder: expect.closeTo(0.104, 3), byLength: expect.closeTo(0.227, 3) },
          ],
          all: 255530 / (712 * 4800),
        },
      },
      { tokens: 305388, distinct: 39427, lengths: { min: 9, median: 340, max: 5688 } },
    ])
  })

  it('differs only in quoted articles in the notebook dialect', async () => {
    const [csv, notebook] = [await readArticles(file), await readArticles(file, { dialect: 'notebook' })]
    const quoted = (await readFile(file, 'utf8')).split('\n').filter(line => line.endsWith("'")).length
    expect(notebook.map(({ category }) => category)).toEqual(csv.map(({ category }) => category))
    expect(notebook.filter(({ text }, i) => text !== `${csv[i]!.text}\n`)).toHaveLength(quoted)
    expect(inspectArticles(notebook)).toMatchObject({
      long: { count: 676 },
      // Quotes stay attached to words, so there are more distinct words, but not more words.
      tokenizers: [{ tokens: 255530, distinct: 53670 }, {}],
    })
  })

  it('has the measured unknown words', async () => {
    const vectors = join(data ?? '', 'vectors', 'de.300.vec.gz')
    const known = new Set((await readWordVectors(vectors)).words)
    const unknown = inspectArticles(await readArticles(file), { known }).tokenizers.map(
      found => found.unknown,
    )
    expect(unknown).toEqual([
      { tokens: expect.closeTo(0.243, 3), distinct: expect.closeTo(0.686, 3) },
      { tokens: expect.closeTo(0.104, 3), distinct: expect.closeTo(0.512, 3) },
    ])
  })
})
