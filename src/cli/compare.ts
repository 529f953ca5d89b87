import { writeComparison } from '../reports/compare.js'
import type { TaskView } from '../reports/taskView.js'
import { viewOfRun } from '../reports/views.js'
import { taskOfResults } from '../training/records.js'
import { entry, fileOption, parse, UsageError, usageOf } from './options.js'
import { aligned } from './table.js'
import { cliTask, tasks } from './tasks.js'

/** The page's file. */
export const COMPARISON = 'compare.html'

const table = { out: fileOption(`the page; default ${COMPARISON}`) } as const

export const usage = `packed-rnn compare RUN RUN … [--out FILE]

Prints the scores of runs of a task side by side, with the course notebook's if the articles are the same, and
writes a page with their plots.

${entry('RUN', 'a directory that train --out wrote')}
${usageOf(table)}`

export async function execute(args: string[]): Promise<void> {
  const { values, positionals } = parse(args, table)
  if (positionals.length === 0) throw new UsageError('wanted runs, got none')
  await compareRuns(positionals, values.out ?? COMPARISON)
}

/** Prints what `compare` prints, and writes its page. */
export async function compareRuns(directories: readonly string[], page: string): Promise<void> {
  const name = await taskOfResults(directories[0]!)
  const task = Object.hasOwn(tasks, name) ? await cliTask(name, tasks) : null
  const text = await (task?.comparison?.(directories) ??
    metricsText(directories, await viewOfRun(directories[0]!)))
  process.stdout.write(text)
  await writeComparison(directories, page)
}

/** A table of the runs' metrics on the test items. */
async function metricsText(directories: readonly string[], view: TaskView): Promise<string> {
  const runs = await Promise.all(directories.map(directory => view.read(directory)))
  const columns = view.comparison.columns(runs)
  const rows = runs.flatMap(run => view.comparison.rows(run, run.directory, columns))
  const cells = rows.map(({ name, cells }) => [
    name,
    ...cells.map(cell => (typeof cell === 'string' ? cell : cell.quiet)),
  ])
  return `${aligned([columns, ...cells])}\n`
}
