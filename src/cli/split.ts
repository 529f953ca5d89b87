import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readArticles, writeArticles } from '../text/gnad.js'
import { stratifiedSplit } from '../text/split.js'
import { integerOption, numberOption, onePositional, parse, UsageError } from './options.js'

export const usage = `packed-rnn split FILE --out DIR [--test 0.2] [--seed 1]

Splits articles in 10kGNAD's format, plain or .gz, each category alike, and writes train.csv and test.csv.

  --test N  the share of test articles, between 0 and 1; default 0.2
  --seed N  which articles; default 1
  --out DIR where to write`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, {
    test: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
  })
  const file = onePositional('a file', positionals)
  if (values.out === undefined) throw new UsageError('wanted --out DIR')
  const test = numberOption('test', values.test, 0.2, 0)
  const seed = integerOption('seed', values.seed, 1, 0)
  const parts = stratifiedSplit(await readArticles(file, { signal }), { test, seed })
  await mkdir(values.out, { recursive: true })
  for (const [name, articles] of Object.entries(parts)) {
    const target = join(values.out, `${name}.csv`)
    await writeArticles(target, articles)
    process.stderr.write(`${target}: ${articles.length} articles\n`)
  }
}
