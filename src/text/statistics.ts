import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import type { Article } from './gnad.js'
import { batchOrder } from './order.js'
import { type Tokenizer, tokenizers } from './tokenize.js'

/** Order statistics of numbers; between two of them a quantile is interpolated, as numpy does. */
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
  if (numbers.length === 0) throw badArgument('quantiles', 'numbers', 'some', 'none', 'ERR_EMPTY')
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
 * The share of real tokens in batches that are padded to their longest document. Without a batch size all documents are
 * one batch. Where there are no tokens at all nothing is padded: 1.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for a batch size that is no positive integer, or an unknown option;
 * ERR_OUT_OF_RANGE for a length that is no integer of at least 0.
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

/** What a tokenizer makes of articles. */
export interface TokenStatistics {
  tokenizer: keyof typeof tokenizers
  tokens: number
  /** Different ones. */
  distinct: number
  /** Tokens of an article. */
  lengths: Quantiles
  /** The shares that have no vector, of the tokens and of the distinct ones; null where no vectors are given. */
  unknown: { tokens: number; distinct: number } | null
  /** Real tokens to padded ones, in batches of the file's order, in batches of similar length, and in a single batch. */
  padding: { batches: { batchSize: number; inOrder: number; byLength: number }[]; all: number }
}

/** What `inspectArticles` finds. */
export interface ArticleStatistics {
  articles: number
  /** The commonest first. */
  categories: { name: string; count: number }[]
  /** Articles of more than `above` tokens between white space, and the text of one of them. */
  long: { above: number; count: number; share: number; nth: number; text: string | null }
  tokenizers: TokenStatistics[]
}

/** What to look for. */
export interface InspectOptions {
  /** An article is long above so many tokens; 100 unless given, as in the course notebook. */
  long?: number
  /** Which of the long articles to show, from 0; 13 unless given. */
  nth?: number
  /** The words that have a vector. */
  known?: ReadonlySet<string>
}

const BATCH_SIZES = [32, 64, 256]

/**
 * Counts, lengths, unknown words and the cost of padding.
 * @throws PackedRnnError ERR_EMPTY without articles; ERR_OUT_OF_RANGE where `long` or `nth` is no integer of at least 0;
 * ERR_INVALID_ARGUMENT for an unknown option.
 */
export function inspectArticles(
  articles: readonly Article[],
  options: InspectOptions = {},
): ArticleStatistics {
  checkOptions('inspectArticles', options, { long: true, nth: true, known: true })
  const { long = 100, nth = 13, known } = options
  checkInteger('inspectArticles', 'long', long, 0)
  checkInteger('inspectArticles', 'nth', nth, 0)
  if (articles.length === 0) throw badArgument('inspectArticles', 'articles', 'some', 'none', 'ERR_EMPTY')
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
