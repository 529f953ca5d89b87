import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import type { Article } from './gnad.js'
import { batchOrder } from './order.js'
import { type Tokenizer, tokenizers } from './tokenize.js'

/** Order statistics of numbers. Quantiles between two numbers are interpolated linearly, as numpy does. */
export interface Quantiles {
  min: number
  median: number
  mean: number
  p90: number
  p99: number
  max: number
}

/** @throws PackedRnnError ERR_EMPTY without numbers. */
export function quantiles(numbers: readonly number[]): Quantiles {
  if (numbers.length === 0) throw badArgument('quantiles', 'numbers', 'at least one', 'none', 'ERR_EMPTY')
  const sorted = numbers.toSorted((a, b) => a - b)
  const quantile = (q: number) => {
    const place = q * (sorted.length - 1)
    const below = sorted[Math.floor(place)]!
    return below + (sorted[Math.ceil(place)]! - below) * (place % 1)
  }
  return {
    min: quantile(0),
    median: quantile(0.5),
    mean: total(numbers) / numbers.length,
    p90: quantile(0.9),
    p99: quantile(0.99),
    max: quantile(1),
  }
}

/**
 * Returns the share of real tokens in batches that are padded to their longest document.
 *
 * @param lengths tokens of each document
 * @param options `batchSize`: by default all documents are one batch; `bucketByLength`: whether documents of similar length
 * share a batch, default false.
 * @returns a share above 0 and up to 1; 1 if no document has tokens
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if the batch size is not a positive integer, or for an unknown option;
 * ERR_OUT_OF_RANGE if a length is not an integer of at least 0.
 * @example
 * ```ts
 * import { paddingEfficiency } from 'packed-rnn/text'
 *
 * const lengths = [3, 9, 4, 8]
 * console.log(paddingEfficiency(lengths, { batchSize: 2 })) // 0.7058823529411765
 * console.log(paddingEfficiency(lengths, { batchSize: 2, bucketByLength: true })) // 0.9230769230769231
 * ```
 */
export function paddingEfficiency(
  lengths: readonly number[],
  options: { batchSize?: number; bucketByLength?: boolean } = {},
): number {
  checkOptions('paddingEfficiency', options, { batchSize: true, bucketByLength: true })
  const { batchSize = Math.max(lengths.length, 1), bucketByLength = false } = options
  for (const [i, length] of lengths.entries()) checkInteger('paddingEfficiency', `lengths[${i}]`, length, 0)
  const padded = batchOrder(lengths, { batchSize, bucketByLength }).map(
    batch => batch.length * batch.reduce((longest, i) => Math.max(longest, lengths[i]!), 0),
  )
  return total(padded) === 0 ? 1 : total(lengths) / total(padded)
}

/** Statistics of articles for one tokenizer. */
export interface TokenStatistics {
  tokenizer: keyof typeof tokenizers
  tokens: number
  /** Distinct tokens. */
  distinct: number
  /** Tokens per article. */
  lengths: Quantiles
  /** The shares of tokens, and of distinct tokens, that have no vector; null without `known`. */
  unknown: { tokens: number; distinct: number } | null
  /** `paddingEfficiency` of batches in the file's order, of batches of similar lengths, and of a single batch. */
  padding: { batches: { batchSize: number; inOrder: number; byLength: number }[]; all: number }
}

/** The result of `inspectArticles`. */
export interface ArticleStatistics {
  articles: number
  /** In descending order of their counts. */
  categories: { name: string; count: number }[]
  /** The articles of more than `above` tokens by the `whitespace` tokenizer, and the text of the nth; null if there is none. */
  long: { above: number; count: number; share: number; nth: number; text: string | null }
  tokenizers: TokenStatistics[]
}

/** Options of `inspectArticles`. */
export interface InspectOptions {
  /** An article with more tokens is long. Default 100, as in the course notebook. */
  long?: number
  /** The index of the long article whose text is returned; default 13. */
  nth?: number
  /** The words that have a vector. */
  known?: ReadonlySet<string>
}

const BATCH_SIZES = [32, 64, 256]

/**
 * Returns counts, lengths, unknown words and the cost of padding.
 * @throws PackedRnnError ERR_EMPTY without articles; ERR_OUT_OF_RANGE if `long` or `nth` is not an integer of at least 0;
 * ERR_INVALID_ARGUMENT for an unknown option.
 * @example
 * ```ts
 * import { inspectArticles, inventArticles } from 'packed-rnn/text'
 *
 * const { categories, tokenizers } = inspectArticles(inventArticles(500, 1))
 * console.log(categories[0]) // { name: 'Web', count: 82 }
 * console.log(tokenizers[0]!.lengths.median) // 310
 * ```
 */
export function inspectArticles(
  articles: readonly Article[],
  options: InspectOptions = {},
): ArticleStatistics {
  checkOptions('inspectArticles', options, { long: true, nth: true, known: true })
  const { long = 100, nth = 13, known } = options
  checkInteger('inspectArticles', 'long', long, 0)
  checkInteger('inspectArticles', 'nth', nth, 0)
  if (articles.length === 0)
    throw badArgument('inspectArticles', 'articles', 'at least one', 'none', 'ERR_EMPTY')
  const counts = new Map<string, number>()
  for (const { category } of articles) counts.set(category, (counts.get(category) ?? 0) + 1)
  const categories = [...counts].map(([name, count]) => ({ name, count }))
  const isLong = articles.filter(({ text }) => tokenizers.whitespace(text).length > long)
  return {
    articles: articles.length,
    categories: categories.sort((a, b) => b.count - a.count),
    long: {
      above: long,
      count: isLong.length,
      share: isLong.length / articles.length,
      nth,
      text: isLong[nth]?.text ?? null,
    },
    tokenizers: (['whitespace', 'words'] as const).map(name => tokenStatistics(name, articles, known)),
  }
}

function tokenStatistics(
  name: keyof typeof tokenizers,
  articles: readonly Article[],
  known: ReadonlySet<string> | undefined,
): TokenStatistics {
  const tokenize: Tokenizer = tokenizers[name]
  const counts = new Map<string, number>()
  const lengths = articles.map(({ text }) => {
    const tokens = tokenize(text)
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
    return tokens.length
  })
  const tokens = total(lengths)
  const unknown = known && [...counts].filter(([token]) => !known.has(token))
  return {
    tokenizer: name,
    tokens,
    distinct: counts.size,
    lengths: quantiles(lengths),
    unknown: unknown
      ? {
          tokens: share(total(unknown.map(([, count]) => count)), tokens),
          distinct: share(unknown.length, counts.size),
        }
      : null,
    padding: {
      batches: BATCH_SIZES.map(batchSize => ({
        batchSize,
        inOrder: paddingEfficiency(lengths, { batchSize }),
        byLength: paddingEfficiency(lengths, { batchSize, bucketByLength: true }),
      })),
      all: paddingEfficiency(lengths),
    },
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}
