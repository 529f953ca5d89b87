import type { AverageScores } from '../tasks/classificationMetrics.js'
import type { ClassifiedRun } from './classifiedRun.js'
import { minutesFor100 } from './finishedRun.js'
import { type Content, html } from './html.js'
import type { NotebookTable, PrintedScores } from './notebookTables.js'
import { minutes, score } from './numbers.js'
import { table } from './page.js'

/** A row of the classification report. Scores that the report does not have for a row are null. */
export interface ScoreRow {
  name: string
  /** Precision, recall, F1. */
  scores: readonly (number | null)[]
  /** The notebook's precision, recall, F1; null if there are none. */
  notebook: readonly (number | null)[] | null
  support: number
}

/** The rows of scikit-learn's report: classes, accuracy, macro and weighted averages. */
export function scoreRows({ metrics }: ClassifiedRun, notebook: NotebookTable | null): ScoreRow[] {
  const { perClass, accuracy, macro, weighted } = metrics
  const support = perClass.reduce((total, scores) => total + scores.support, 0)
  const row = (
    name: string,
    { precision, recall, f1 }: AverageScores,
    printed: PrintedScores | undefined,
    support: number,
  ): ScoreRow => ({ name, scores: [precision, recall, f1], notebook: printed ?? null, support })
  return [
    ...perClass.map(scores => row(scores.name, scores, notebook?.perClass[scores.name], scores.support)),
    {
      ...{ name: 'accuracy', scores: [null, null, accuracy], support },
      notebook: notebook && [null, null, notebook.accuracy],
    },
    row('macro avg', macro, notebook?.macro, support),
    row('weighted avg', weighted, notebook?.weighted, support),
  ]
}

// With a non-breaking hyphen.
const COLUMNS = ['precision', 'recall', 'f1‑score']

/** A run's classification report, with the notebook's figures beside it if they are given. */
export function scoreTable(run: ClassifiedRun, notebook: NotebookTable | null): Content {
  const show = (value: number | null | undefined) =>
    value === null || value === undefined ? '' : score(value)
  const span = notebook === null ? 1 : 2
  const time = minutes(minutesFor100(run.epochs))
  return table({
    label: `Classification report of ${run.results.preset}`,
    head: html`<tr><th scope="col"></th>${COLUMNS.map(
      name => html`<th scope="col" colspan="${span}">${name}</th>`,
    )}<th scope="col">support</th></tr>`,
    rows: [
      ...scoreRows(run, notebook).map(({ name, scores, notebook: printed, support }) => ({
        name,
        cells: [
          ...scores.flatMap((value, i) =>
            notebook === null ? [show(value)] : [show(value), { quiet: show(printed?.[i]) }],
          ),
          String(support),
        ],
      })),
      {
        name: 'minutes for 100 epochs',
        cells:
          notebook === null
            ? ['', '', time, '']
            : ['', '', '', '', time, { quiet: `~${notebook.minutes}` }, ''],
      },
    ],
  })
}
