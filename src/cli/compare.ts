import { finishedRuns, writeComparisonOf } from '../reports/compare.js'
import { comparisonText } from './compareReport.js'
import { entry, fileOption, parse, UsageError, usageOf } from './options.js'

/** The page's file. */
export const COMPARISON = 'compare.html'

const table = { out: fileOption(`the page; default ${COMPARISON}`) } as const

export const usage = `packed-rnn compare RUN RUN … [--out FILE]

Prints the scores of runs beside each other, and beside the course notebook's where the articles are the
notebook's; writes a page with their plots side by side.

${entry('RUN', 'a directory that train --out wrote')}
${usageOf(table)}`

export async function execute(args: string[]): Promise<void> {
  const { values, positionals } = parse(args, table)
  if (positionals.length === 0) throw new UsageError('wanted runs, got none')
  await compareRuns(positionals, values.out ?? COMPARISON)
}

/** Prints what `compare` prints, and writes its page. */
export async function compareRuns(directories: readonly string[], page: string): Promise<void> {
  const runs = await finishedRuns(directories)
  process.stdout.write(comparisonText(runs))
  await writeComparisonOf(runs, page)
}
