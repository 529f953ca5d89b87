import * as Plot from '@observablehq/plot'
import type { ClassScores } from '../tasks/classificationMetrics.js'
import { draw, short } from './draw.js'
import type { NotebookTable } from './notebookTables.js'

const WIDTH = 400
/** The maximum size of a row or column, in pixels. */
const LARGEST_CELL = 56

/** The width of the longest name at the left, in pixels. */
function roomFor(names: readonly string[]): number {
  return 16 + 6.9 * Math.max(...names.map(name => short(name).length))
}

/** An axis of classes by number, because shortened names may be equal. */
function axisOf(names: readonly string[]) {
  return {
    domain: names.map((_, i) => i),
    ...{ tickFormat: (i: number) => short(names[i]!), tickSize: 0, label: null },
  }
}

/**
 * Draws a confusion matrix. Rows are true classes, columns are predicted classes. Correct counts are blue and mistakes orange;
 * the colour is stronger for a larger share of the row.
 *
 * @param matrix counts, [classes][classes]; rows are the true classes
 */
export function confusionPlot(matrix: readonly (readonly number[])[], classes: readonly string[]): string {
  const cells = matrix.flatMap((row, truth) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count, predicted) => ({
      ...{ truth, predicted, count, share: total === 0 ? 0 : count / total },
      title: `${classes[truth]}, predicted as ${classes[predicted]}: ${count} of ${total}`,
    }))
  })
  const right = cells.filter(({ truth, predicted }) => truth === predicted)
  const wrong = cells.filter(({ truth, predicted }) => truth !== predicted)
  // Mistakes are usually few, so their colours are relative to the largest share of any mistake.
  const most = Math.max(...wrong.map(({ share }) => share), Number.MIN_VALUE)
  const room = roomFor(classes)
  // Long column names are rotated by 60 degrees, and the last one extends to the right.
  const leans = room > (WIDTH - room) / classes.length || room > LARGEST_CELL
  const [height, overhang] = leans ? [0.87 * room, Math.max(0.5 * room - 14, 8)] : [14, 8]
  const cell = Math.min((WIDTH - room - overhang) / classes.length, LARGEST_CELL)
  const names = axisOf(classes)
  const where = { x: 'predicted', y: 'truth', title: 'title', inset: 0.75, rx: 2 }
  const hits = right.reduce((sum, { count }) => sum + count, 0)
  const total = cells.reduce((sum, { count }) => sum + count, 0)
  return draw(
    `Confusion matrix of ${classes.length} classes: ${hits} of ${total} documents are classified correctly`,
    {
      ...{ width: WIDTH, marginLeft: room, marginTop: height + 8, marginBottom: 8 },
      ...{ marginRight: WIDTH - room - cell * classes.length },
      height: height + 16 + cell * classes.length,
      ...{ padding: 0, opacity: { domain: [0, 1], range: [0, 1] } },
      x: { ...names, axis: 'top', tickRotate: leans ? -60 : 0 },
      y: names,
      marks: [
        Plot.cell(cells, { ...where, title: null, fill: 'currentColor', fillOpacity: 0.05 }),
        Plot.cell(right, { ...where, fill: 'var(--first-shade)', fillOpacity: 'share' }),
        Plot.cell(wrong, {
          ...where,
          fill: 'var(--second-shade)',
          fillOpacity: ({ share }: { share: number }) => share / most,
        }),
        Plot.text(
          cells.filter(({ count }) => count > 0),
          { x: 'predicted', y: 'truth', text: ({ count }) => String(count), pointerEvents: 'none' },
        ),
      ],
    },
  )
}

const SCORES = [
  { key: 'precision', name: 'precision' },
  { key: 'recall', name: 'recall' },
  { key: 'f1', name: 'F1' },
] as const

/** Draws precision, recall and F1 of each class as bars, with a line at the notebook's figure if there is one. */
export function classBars(perClass: readonly ClassScores[], notebook: NotebookTable | null): string {
  const names = perClass.map(({ name }) => name)
  const bars = perClass.flatMap((scores, i) =>
    SCORES.map(({ key, name }) => {
      const value = scores[key]
      return { class: i, score: name, value, title: `${scores.name}, ${name}: ${value}` }
    }),
  )
  const printed = perClass.flatMap((scores, i) =>
    SCORES.flatMap(({ name }, s) => {
      const value = notebook?.perClass[scores.name]?.[s]
      if (value === undefined) return []
      return [{ class: i, score: name, value, title: `${scores.name}, ${name}, the notebook: ${value}` }]
    }),
  )
  const where = { fx: 'score', x: 'value', y: 'class', title: 'title' }
  return draw(`Precision, recall and F1 of ${names.length} classes; the table has the numbers`, {
    ...{ width: WIDTH, height: 46 + 26 * names.length, marginLeft: roomFor(names), marginRight: 10 },
    ...{ marginTop: 22, marginBottom: 24 },
    x: { domain: [0, 1], ticks: [0.5, 1], tickFormat: '~g', label: null, grid: true, tickSize: 0 },
    y: { ...axisOf(names), padding: 0.25 },
    fx: { domain: SCORES.map(({ name }) => name), label: null, padding: 0.14 },
    marks: [
      Plot.barX(bars, { ...where, fill: 'var(--first-shade)' }),
      Plot.tickX(printed, { ...where, stroke: 'var(--second)', strokeWidth: 2.5 }),
      Plot.text(bars, {
        ...{ fx: 'score', y: 'class', x: 0, dx: 4, textAnchor: 'start', pointerEvents: 'none' },
        text: ({ value }: { value: number }) => value.toFixed(2),
      }),
    ],
  })
}
