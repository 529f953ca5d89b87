import { checkOptions } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { formatFixed } from '../training/format.js'
import { type AverageScores, classificationMetrics, type MetricsOptions } from './classificationMetrics.js'

/** Options of `classificationReport`. */
export interface ReportOptions extends MetricsOptions {
  /** Decimals of the scores; the default is 2. */
  digits?: number
}

/**
 * The text that scikit-learn's `classification_report` prints, byte for byte, its last newline included.
 *
 * Unlike `classificationMetrics`, the classes are by default those that occur: the sorted distinct ids of truth
 * and predicted together. Pass `labels` to report others; where they leave out an id that occurs, the row
 * `accuracy` becomes `micro avg`.
 *
 * @param truth class ids, [N]
 * @param predicted class ids, [N]
 * @param names one name for each reported class, in the order of the classes
 * @throws PackedRnnError ERR_EMPTY without examples; ERR_INVALID_ARGUMENT when the lengths differ, when the names are not as many
 *   as the classes, when `digits` is no integer from 0 to 99, or for an unknown option
 *
 * @example
 * ```ts
 * import { classificationReport } from 'packed-rnn/tasks'
 *
 * const report = classificationReport([0, 1, 1, 0], [0, 1, 0, 0], ['sport', 'web'])
 * console.log(report.split('\n')[2]?.trim()) // sport       0.67      1.00      0.80         2
 * ```
 */
export function classificationReport(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  names: readonly string[],
  options: ReportOptions = {},
): string {
  checkOptions('classificationReport', options, { labels: true, zeroDivision: true, digits: true })
  const { digits = 2, zeroDivision = 0 } = options
  if (!Number.isInteger(digits) || digits < 0 || digits > 99) {
    throw badArgument('classificationReport', 'digits', 'an integer from 0 to 99', digits)
  }
  const present = new Set([...Array.from(truth), ...Array.from(predicted)])
  if (present.size === 0) throw new PackedRnnError('ERR_EMPTY', 'classificationReport: no examples')
  const labels = options.labels ?? [...present].sort((a, b) => a - b)
  const coversAll = [...present].every(id => labels.includes(id))
  const { accuracy, perClass, micro, macro, weighted } = classificationMetrics(truth, predicted, names, {
    labels,
    zeroDivision,
  })

  const width = Math.max(...names.map(codePoints), 'weighted avg'.length, digits)
  const row = (heading: string, cells: (string | number)[]) =>
    `${' '.repeat(width - codePoints(heading))}${heading} ` +
    `${cells.map(cell => ` ${String(cell).padStart(9)}`).join('')}\n`
  const show = ({ precision, recall, f1 }: AverageScores) =>
    [precision, recall, f1].map(score => formatFixed(score, digits))
  const support = perClass.reduce((total, scores) => total + scores.support, 0)
  // Where no prediction is right, scikit-learn's counts are floating-point numbers, and it prints them so.
  const count = (examples: number) => (accuracy === 0 ? `${examples}.0` : examples)

  return [
    row('', ['precision', 'recall', 'f1-score', 'support']),
    '\n',
    ...perClass.map(scores => row(scores.name, [...show(scores), count(scores.support)])),
    '\n',
    coversAll
      ? row('accuracy', ['', '', formatFixed(micro.f1, digits), count(support)])
      : row('micro avg', [...show(micro), count(support)]),
    row('macro avg', [...show(macro), count(support)]),
    row('weighted avg', [...show(weighted), count(support)]),
  ].join('')
}

/** The length that Python counts: an emoji is one character there and two in a JavaScript string. */
function codePoints(text: string): number {
  return [...text].length
}
