import { checkOptions } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { Generator } from '../random.js'
import type { Article } from './gnad.js'

/** Options of `stratifiedSplit`. */
export interface SplitOptions {
  /** The share of test articles, above 0 and below 1. */
  test: number
  /** Seed of the random choice. The same seed and articles give the same parts. */
  seed: number
}

/**
 * Splits articles into training and test articles at random, with the same share of each category in both parts, as exactly
 * as whole articles allow. Both parts keep the articles' order. A category of two or more articles is in both parts; a
 * category's only article goes to `train`. Within these limits `test` has `test * articles.length` articles, rounded.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for a share outside (0, 1), an invalid seed or an unknown option; ERR_EMPTY
 * without articles.
 * @example
 * ```ts
 * import { inventArticles, stratifiedSplit } from 'packed-rnn/text'
 *
 * const { train, test } = stratifiedSplit(inventArticles(500, 1), { test: 0.2, seed: 1 })
 * console.log(train.length, test.length) // 400 100
 * ```
 */
export function stratifiedSplit(
  articles: readonly Article[],
  options: SplitOptions,
): { train: Article[]; test: Article[] } {
  checkOptions('stratifiedSplit', options, { test: true, seed: true })
  const { test: share, seed } = options
  if (!(share > 0 && share < 1)) {
    throw badArgument('stratifiedSplit', 'test', 'a share above 0 and below 1', share)
  }
  if (articles.length === 0)
    throw new PackedRnnError('ERR_EMPTY', 'stratifiedSplit: articles: wanted at least one article, got none')

  const generator = new Generator(seed)
  const byCategory = new Map<string, number[]>()
  for (const [i, { category }] of articles.entries()) {
    const indices = byCategory.get(category)
    if (indices) indices.push(i)
    else byCategory.set(category, [i])
  }
  const members = [...byCategory.values()]
  const counts = allot(
    members.map(indices => indices.length),
    share,
  )
  const chosen = new Set(members.flatMap((indices, c) => generator.shuffle(indices).slice(0, counts[c])))
  return {
    train: articles.filter((_, i) => !chosen.has(i)),
    test: articles.filter((_, i) => chosen.has(i)),
  }
}

/** The number of test articles of each category: largest remainders, within the bounds of both parts. */
function allot(sizes: number[], share: number): number[] {
  const wanted = Math.round(share * sizes.reduce((sum, size) => sum + size, 0))
  const parts = sizes.map(size => {
    const ideal = size * share
    const low = Math.min(1, size - 1)
    const high = size - 1
    return { ideal, low, high, count: Math.min(Math.max(Math.floor(ideal), low), high) }
  })
  let missing = wanted - parts.reduce((sum, part) => sum + part.count, 0)
  while (missing !== 0) {
    const step = Math.sign(missing)
    const movable = parts.filter(part => (step > 0 ? part.count < part.high : part.count > part.low))
    if (movable.length === 0) break
    const gap = (part: (typeof parts)[number]): number => step * (part.ideal - part.count)
    const furthest = movable.reduce((best, part) => (gap(part) > gap(best) ? part : best))
    furthest.count += step
    missing -= step
  }
  return parts.map(part => part.count)
}
