import { type Article, readArticles } from '../text/gnad.js'
import { type ArticleStatistics, inspectArticles, type TokenStatistics } from '../text/statistics.js'
import { tokenizers } from '../text/tokenize.js'
import { readWordVectors } from '../text/vectors.js'
import { dialectOption } from './articleOptions.js'
import { jsonOption, writeJson } from './jsonFile.js'
import { fileOption, integerOption, noPositionals, parse, UsageError, usageOf } from './options.js'
import { aligned } from './table.js'
import { type VectorFile, vectorFile, vectorOptions } from './vectors.js'

const table = {
  train: fileOption("articles in 10kGNAD's format, plain or .gz"),
  dialect: dialectOption,
  ...vectorOptions,
  long: integerOption('an article is long above N tokens between white space; default 100', 0),
  nth: integerOption('which long article to show, from 0; default 13', 0),
  json: jsonOption,
} as const

export const usage = `packed-rnn inspect --train FILE [--vectors FILE] [OPTION …]

Shows what articles hold, which of their words have a vector, and what padding them would cost.

${usageOf(table)}`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, table)
  noPositionals(positionals)
  if (values.train === undefined) throw new UsageError('wanted --train FILE')
  const { dialect = 'csv', long = 100, nth = 13 } = values
  const vectors = vectorFile(values)

  const articles = await readArticles(values.train, { dialect, signal })
  const known = vectors === undefined ? {} : { known: await knownWords(articles, vectors, signal) }
  const statistics = inspectArticles(articles, { long, nth, ...known })
  process.stdout.write(render(statistics))
  if (values.json !== undefined) await writeJson(values.json, statistics)
}

/** The words of articles that have a vector, however they are cut. */
async function knownWords(articles: readonly Article[], { file, ...rows }: VectorFile, signal: AbortSignal) {
  const cuts = Object.values(tokenizers)
  const keep = new Set(articles.flatMap(({ text }) => cuts.flatMap(tokenize => tokenize(text))))
  const onWarning = (message: string) => process.stderr.write(`${message}\n`)
  const { words } = await readWordVectors(file, { ...rows, keep, signal, onWarning })
  return new Set(words)
}

function render({ articles, categories, long, tokenizers }: ArticleStatistics): string {
  const shown = long.text === null ? `there is no long article ${long.nth}` : long.text.trimEnd()
  return [
    `${articles} articles in ${categories.length} categories`,
    aligned(categories.map(({ name, count }) => [name, String(count), percent(count / articles)])),
    `${long.count} of ${articles} articles (${percent(long.share)}) are above ${long.above} tokens; number ${long.nth} of these, from 0:`,
    shown,
    'tokens of an article',
    aligned([
      ['', 'min', 'median', 'mean', 'p90', 'p99', 'max', 'all', 'distinct'],
      ...tokenizers.map(lengthRow),
    ]),
    ...unknownTable(tokenizers),
    'real tokens in a batch that is padded to its longest article, in the order of the file and sorted by length',
    aligned([
      ['', ...tokenizers.flatMap(({ tokenizer }) => [tokenizer, 'sorted'])],
      ...paddingRows(tokenizers),
    ]),
  ]
    .map(part => `${part}\n`)
    .join('\n')
}

function lengthRow({ tokenizer, lengths, tokens, distinct }: TokenStatistics): string[] {
  const { min, median, mean, p90, p99, max } = lengths
  const numbers = [min, median, mean, p90, p99, max].map(n =>
    Number.isInteger(n) ? String(n) : n.toFixed(1),
  )
  return [tokenizer, ...numbers, String(tokens), String(distinct)]
}

function unknownTable(tokenizers: readonly TokenStatistics[]): string[] {
  const rows = tokenizers.flatMap(({ tokenizer, unknown }) =>
    unknown ? [[tokenizer, percent(unknown.tokens), percent(unknown.distinct)]] : [],
  )
  return rows.length === 0 ? [] : ['without a vector', aligned([['', 'tokens', 'distinct'], ...rows])]
}

function paddingRows(tokenizers: readonly TokenStatistics[]): string[][] {
  const sizes = tokenizers[0]!.padding.batches.map(({ batchSize }) => batchSize)
  const rows = sizes.map((size, i) => [
    `batches of ${size}`,
    ...tokenizers.flatMap(({ padding }) => {
      const { inOrder, byLength } = padding.batches[i]!
      return [percent(inOrder), percent(byLength)]
    }),
  ])
  return [...rows, ['all in one', ...tokenizers.flatMap(({ padding }) => [percent(padding.all), ''])]]
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
