import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stratifiedSplit } from '../../src/text/split.js'

const article = (category: string, i: number) => ({ category, text: String(i) })
const articles = fc.array(fc.constantFrom('Web', 'Sport', 'Etat', 'Kultur'), { minLength: 1, maxLength: 80 })

function sizes(part: { category: string }[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { category } of part) counts.set(category, (counts.get(category) ?? 0) + 1)
  return counts
}

describe('stratifiedSplit', () => {
  it('puts every article in one part, in order, and every category of two or more in both', () => {
    const share = fc.double({ min: 0.01, max: 0.99, noNaN: true })
    const property = fc.property(articles, share, fc.nat(), (categories, test, seed) => {
      const all = categories.map(article)
      const parts = stratifiedSplit(all, { test, seed })
      expect(parts).toEqual(stratifiedSplit(all, { test, seed }))

      const inTest = new Set(parts.test)
      expect(parts.train).toEqual(all.filter(one => !inTest.has(one)))
      expect(parts.test).toEqual(all.filter(one => inTest.has(one)))
      for (const [category, count] of sizes(all)) {
        const there = sizes(parts.test).get(category) ?? 0
        if (count === 1) expect(there).toBe(0)
        else {
          expect(there).toBeGreaterThan(0)
          expect(there).toBeLessThan(count)
        }
      }
    })
    fc.assert(property)
  })

  it('rounds by largest remainders', () => {
    // A fifth of 12, 8 and 5 is 2.4, 1.6 and 1, five in total.
    const all = ['a', 'b', 'c'].flatMap((category, i) => new Array([12, 8, 5][i]).fill(category)).map(article)
    const { test } = stratifiedSplit(all, { test: 0.2, seed: 1 })
    expect(Object.fromEntries(sizes(test))).toEqual({ a: 2, b: 2, c: 1 })
  })

  it('chooses by seed', () => {
    const all = Array.from({ length: 50 }, (_, i) => article('Web', i))
    expect(stratifiedSplit(all, { test: 0.5, seed: 1 })).not.toEqual(
      stratifiedSplit(all, { test: 0.5, seed: 2 }),
    )
  })

  it.each([0, 1, -0.1, Number.NaN])('rejects a share of %s', test => {
    expect(() => stratifiedSplit([article('Web', 0)], { test, seed: 0 })).toThrow(
      /test: wanted a share above 0/,
    )
  })

  it('rejects an empty list', () => {
    expect(() => stratifiedSplit([], { test: 0.5, seed: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_EMPTY' }),
    )
  })
})
