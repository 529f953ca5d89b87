import { type ClassifiedRun, comparable } from '../reports/classifiedRun.js'
import { minutesFor100 } from '../reports/finishedRun.js'
import { minutes, score } from '../reports/numbers.js'
import { scoreRows } from '../reports/scoreTable.js'
import { aligned } from './table.js'

/** For a person: a table of all runs, then the notebook's table for each. */
export function comparisonText(runs: readonly ClassifiedRun[]): string {
  return `${[glance(runs), ...runs.map(runText)].join('\n\n')}\n`
}

/** A figure, and the notebook's beside it. */
function beside(own: string, notebook: string | null): string {
  return notebook === null ? own : `${own} (${notebook})`
}

function glance(runs: readonly ClassifiedRun[]): string {
  const rows = runs.map(run => {
    const { accuracy, macro, weighted } = run.metrics
    const notebook = comparable(run)
    return [
      ...[run.directory, run.results.preset],
      beside(score(accuracy), notebook && score(notebook.accuracy)),
      beside(score(macro.f1), notebook && score(notebook.macro[2])),
      beside(score(weighted.f1), notebook && score(notebook.weighted[2])),
      beside(minutes(minutesFor100(run.epochs)), notebook && `~${notebook.minutes}`),
    ]
  })
  const heads = ['run', 'preset', 'accuracy', 'macro F1', 'weighted F1', 'minutes for 100 epochs']
  const some = runs.some(run => comparable(run) !== null)
  return `${aligned([heads, ...rows])}${some ? '\n  in brackets: what the notebook prints' : ''}`
}

function runText(run: ClassifiedRun): string {
  const notebook = comparable(run)
  const show = (value: number | null | undefined) =>
    value === null || value === undefined ? '' : score(value)
  const rows = scoreRows(run, notebook).map(({ name, scores, notebook: printed, support }) => [
    name,
    ...scores.map((value, i) => (value === null ? '' : beside(show(value), printed && show(printed[i])))),
    String(support),
  ])
  const time = beside(minutes(minutesFor100(run.epochs)), notebook && `~${notebook.minutes}`)
  return [
    `${run.directory}: ${run.results.preset}, ${run.epochs.length} epochs`,
    ...(run.notComparable === null ? [] : [run.notComparable]),
    aligned([
      ['', 'precision', 'recall', 'f1-score', 'support'],
      ...rows,
      ['minutes for 100 epochs', '', '', time, ''],
    ]),
  ].join('\n')
}
