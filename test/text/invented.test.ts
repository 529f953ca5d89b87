import { describe, expect, it } from 'vitest'
import { readArticles, writeArticles } from '../../src/text/gnad.js'
import { inventArticles } from '../../src/text/invented.js'
import { tokenizers } from '../../src/text/tokenize.js'
import { naiveBayes, tfIdfRidge } from './bagOfWords.js'
import { temporaryFolder } from './folder.js'

const path = temporaryFolder()
const articles = inventArticles(2000, 1)
const words = articles.map(article => tokenizers.whitespace(article.text))

describe('inventArticles', () => {
  it('depends only on count and seed', () => {
    expect(inventArticles(20, 3)).toEqual(inventArticles(20, 3))
    expect(inventArticles(20, 3)).not.toEqual(inventArticles(20, 4))
    expect(inventArticles(1, 0)).toHaveLength(1)
  })

  it("has 10kGNAD's categories, none with a fifth of the articles", () => {
    const counts = new Map<string, number>()
    for (const { category } of articles) counts.set(category, (counts.get(category) ?? 0) + 1)
    const categories = ['Etat', 'Inland', 'International', 'Kultur', 'Panorama']
    expect([...counts.keys()].sort()).toEqual([...categories, 'Sport', 'Web', 'Wirtschaft', 'Wissenschaft'])
    expect(Math.max(...counts.values()) / articles.length).toBeLessThan(0.2)
    expect(Math.min(...counts.values()) / articles.length).toBeGreaterThan(0.04)
  })

  it("has 10kGNAD's lengths", () => {
    const lengths = words.map(tokens => tokens.length).sort((a, b) => a - b)
    const quantile = (share: number): number => lengths[Math.floor(share * lengths.length)]!
    const mean = lengths.reduce((sum, length) => sum + length) / lengths.length
    expect(lengths[0]).toBeGreaterThanOrEqual(7)
    expect(lengths.at(-1)).toBeLessThanOrEqual(4800)
    // Within a twelfth of the figures measured on the official test file.
    for (const [ours, official] of [
      [quantile(0.5), 298],
      [mean, 368],
      [quantile(0.9), 661],
      [quantile(0.99), 1380],
    ] as const) {
      expect(Math.abs(ours / official - 1)).toBeLessThan(1 / 12)
    }
  })

  it('has a moderate vocabulary that another seed shares', () => {
    const vocabulary = new Set(words.flat())
    expect(vocabulary.size).toBeGreaterThan(2000)
    expect(vocabulary.size).toBeLessThan(4000)
    const others = inventArticles(100, 2).flatMap(article => tokenizers.whitespace(article.text))
    expect(others.filter(word => !vocabulary.has(word)).length / others.length).toBeLessThan(0.001)
  })

  it('needs quoting in some articles, and reads back the same', async () => {
    const quoted = articles.filter(({ text }) => /[;']/.test(text)).length / articles.length
    expect(quoted).toBeGreaterThan(0.03)
    expect(quoted).toBeLessThan(0.15)
    await writeArticles(path('invented.csv.gz'), articles)
    expect(await readArticles(path('invented.csv.gz'))).toEqual(articles)
  })

  it('cannot be classified by bags of words in some categories', () => {
    const test = inventArticles(500, 2)
    for (const classify of [naiveBayes, tfIdfRidge]) {
      const accuracy = classify(articles.slice(0, 1500), test)
      expect(accuracy).toBeGreaterThan(0.5)
      expect(accuracy).toBeLessThan(0.9)
    }
  })

  it.each([0, -1, 1.5])('rejects a count of %s', count => {
    expect(() => inventArticles(count, 0)).toThrow('count: wanted a positive integer')
  })
})
