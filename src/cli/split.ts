import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readArticles, writeArticles } from '../text/gnad.js'
import { stratifiedSplit } from '../text/split.js'
import {
  integerOption,
  numberOption,
  onePositional,
  parse,
  textOption,
  UsageError,
  usageOf,
} from './options.js'

const table = {
  test: numberOption('the share of test articles, between 0 and 1; default 0.2', 0),
  seed: integerOption('which articles; default 1', 0),
  out: textOption('DIR', 'where to write'),
} as const

export const usage = `packed-rnn split FILE --out DIR [--test 0.2] [--seed 1]

Splits articles in 10kGNAD's format, plain or .gz, by category in equal shares, and writes train.csv and test.csv.

${usageOf(table)}`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, table)
  const file = onePositional('a file', positionals)
  if (values.out === undefined) throw new UsageError('wanted --out DIR')
  const { test = 0.2, seed = 1 } = values
  const parts = stratifiedSplit(await readArticles(file, { signal }), { test, seed })
  await mkdir(values.out, { recursive: true })
  for (const [name, articles] of Object.entries(parts)) {
    const target = join(values.out, `${name}.csv`)
    await writeArticles(target, articles)
    process.stderr.write(`${target}: ${articles.length} articles\n`)
  }
}
