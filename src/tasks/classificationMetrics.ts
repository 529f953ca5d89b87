import { checkOptions } from '../check.js'
import { badArgument } from '../errors.js'

/** Precision, recall and F1, each from 0 to 1. */
export interface AverageScores {
  precision: number
  recall: number
  f1: number
}

/** One class's scores; `support` counts the examples whose true class it is. */
export interface ClassScores extends AverageScores {
  name: string
  support: number
}

/** What `classificationMetrics` returns. */
export interface ClassificationMetrics {
  /** The share of examples whose prediction is right, over all examples. */
  accuracy: number
  perClass: ClassScores[]
  /** Scores of the counts summed over the classes; with all classes reported it equals `accuracy`. */
  micro: AverageScores
  /** Mean of the classes' scores. */
  macro: AverageScores
  /** Mean of the classes' scores, weighted by support. */
  weighted: AverageScores
}

/** Of a confusion matrix: half a gigabyte. */
const MOST_CLASSES = 8192

/** Options of `classificationMetrics`. */
export interface MetricsOptions {
  /** The class ids to report, one for each name; the default is 0, 1, …, `names.length - 1`. */
  labels?: readonly number[]
  /** The value of a ratio whose denominator is zero; the default is 0. */
  zeroDivision?: 0 | 1
}

/**
 * Counts pairs of classes: `matrix[t][p]` examples have the true class t and the predicted class p.
 *
 * @param truth class ids, [N], each from 0 to `classes - 1`
 * @param predicted class ids, [N]
 * @param classes at most 8,192
 * @returns [classes][classes]; rows are the true classes
 * @throws PackedRnnError ERR_INVALID_ARGUMENT when the lengths differ or for another number of classes,
 *   ERR_OUT_OF_RANGE when an id is no class
 *
 * @example
 * ```ts
 * import { confusionMatrix } from 'packed-rnn/tasks'
 *
 * console.log(confusionMatrix([0, 1, 1], [0, 1, 0], 2).map(row => [...row])) // [[1, 0], [1, 1]]
 * ```
 */
export function confusionMatrix(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): number[][] {
  const where = 'confusionMatrix'
  if (!Number.isInteger(classes) || classes < 1 || classes > MOST_CLASSES) {
    throw badArgument(where, 'classes', `a positive integer up to ${MOST_CLASSES}`, classes)
  }
  checkLengths(where, truth, predicted)
  const ids = Array.from({ length: classes }, (_, id) => id)
  checkIds(where, 'truth', truth, ids)
  checkIds(where, 'predicted', predicted, ids)
  const matrix = ids.map(() => ids.map(() => 0))
  for (let n = 0; n < truth.length; n++) matrix[truth[n]!]![predicted[n]!]!++
  return matrix
}

/**
 * Accuracy, and precision, recall and F1 for each class and on average, as scikit-learn defines them.
 *
 * @param truth class ids, [N]
 * @param predicted class ids, [N]
 * @param names one name for each class: `names[i]` is that of class i, or of `labels[i]` where those are given
 * @throws PackedRnnError ERR_INVALID_ARGUMENT when the lengths differ, a label repeats, for another `zeroDivision` or an
 *   unknown option;
 *   ERR_OUT_OF_RANGE when an id has no name. With `labels`, ids outside them are legal: they count as errors of the class
 *   that they were taken for.
 *
 * @example
 * ```ts
 * import { classificationMetrics } from 'packed-rnn/tasks'
 *
 * const { accuracy, macro } = classificationMetrics([0, 1, 1, 0], [0, 1, 0, 0], ['a', 'b'])
 * console.log(accuracy, macro.recall) // 0.75 0.75
 * ```
 */
export function classificationMetrics(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  names: readonly string[],
  options: MetricsOptions = {},
): ClassificationMetrics {
  const where = 'classificationMetrics'
  checkOptions(where, options, { labels: true, zeroDivision: true })
  const labels = options.labels ?? names.map((_, id) => id)
  const zeroDivision = options.zeroDivision ?? 0
  if (zeroDivision !== 0 && zeroDivision !== 1) {
    throw badArgument(where, 'zeroDivision', '0 or 1', zeroDivision)
  }
  checkLengths(where, truth, predicted)
  if (labels.length !== names.length) {
    throw badArgument(where, 'names', `${labels.length} names, one for each label`, names.length)
  }
  if (new Set(labels).size !== labels.length) throw badArgument(where, 'labels', 'distinct labels', labels)
  if (options.labels === undefined) {
    checkIds(where, 'truth', truth, labels)
    checkIds(where, 'predicted', predicted, labels)
  }

  const counts = countByLabel(truth, predicted, labels)
  const scores = counts.map(count => scoresOf(count, zeroDivision))
  const equal = counts.map(() => 1)
  const supports = counts.map(count => count.support)
  let right = 0
  for (let n = 0; n < truth.length; n++) if (truth[n] === predicted[n]) right++
  const total = {
    hits: sum(counts.map(count => count.hits)),
    predictions: sum(counts.map(count => count.predictions)),
    support: sum(supports),
  }
  return {
    accuracy: ratio(right, truth.length, zeroDivision),
    perClass: scores.map((score, i) => ({ name: names[i]!, ...score, support: supports[i]! })),
    micro: scoresOf(total, zeroDivision),
    macro: averageOf(scores, equal, zeroDivision),
    weighted: total.support > 0 ? averageOf(scores, supports, zeroDivision) : ofNobody(total, zeroDivision),
  }
}

interface Counts {
  /** Examples of the class that were predicted as such. */
  hits: number
  predictions: number
  support: number
}

function countByLabel(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  labels: readonly number[],
): Counts[] {
  const counts = new Map(labels.map(label => [label, { hits: 0, predictions: 0, support: 0 }]))
  for (let n = 0; n < truth.length; n++) {
    const actual = counts.get(truth[n]!)
    const guessed = counts.get(predicted[n]!)
    if (actual) actual.support++
    if (guessed) guessed.predictions++
    if (actual && actual === guessed) actual.hits++
  }
  return [...counts.values()]
}

function scoresOf({ hits, predictions, support }: Counts, zeroDivision: number): AverageScores {
  return {
    precision: ratio(hits, predictions, zeroDivision),
    recall: ratio(hits, support, zeroDivision),
    // From the counts, not from precision and recall: one rounding, so that 10/16 is exactly 0.625.
    f1: ratio(2 * hits, predictions + support, zeroDivision),
  }
}

function averageOf(scores: AverageScores[], weights: number[], zeroDivision: number): AverageScores {
  const total = sum(weights)
  const average = (key: keyof AverageScores) =>
    ratio(sum(scores.map((score, i) => score[key] * weights[i]!)), total, zeroDivision)
  return { precision: average('precision'), recall: average('recall'), f1: average('f1') }
}

/** The weighted average where no example has one of the classes, as scikit-learn has it. */
function ofNobody({ predictions }: Counts, zeroDivision: number): AverageScores {
  const guessed = predictions > 0 ? 0 : zeroDivision
  return { precision: guessed, recall: zeroDivision, f1: guessed }
}

function ratio(numerator: number, denominator: number, zeroDivision: number): number {
  return denominator === 0 ? zeroDivision : numerator / denominator
}

/**
 * A sum in numpy's order: eight running sums, added in pairs, then the rest. Another order may differ in the last bit,
 * and that bit decides how a mean near a half is rounded in the report.
 */
function sum(values: number[]): number {
  const add = (total: number, value: number) => total + value
  const inLanes = values.length - (values.length % 8)
  if (inLanes === 0) return values.reduce(add, 0)
  const lane = (k: number) => values.filter((_, i) => i < inLanes && i % 8 === k).reduce(add)
  const four = (k: number) => lane(k) + lane(k + 1) + (lane(k + 2) + lane(k + 3))
  return values.slice(inLanes).reduce(add, four(0) + four(4))
}

function checkLengths(where: string, truth: ArrayLike<number>, predicted: ArrayLike<number>): void {
  if (truth.length !== predicted.length) {
    throw badArgument(where, 'predicted', `${truth.length} class ids, as in truth`, predicted.length)
  }
}

function checkIds(where: string, name: string, ids: ArrayLike<number>, known: readonly number[]): void {
  const legal = new Set(known)
  for (let n = 0; n < ids.length; n++) {
    if (!legal.has(ids[n]!)) {
      const wanted = `an integer from 0 to ${known.length - 1}`
      throw badArgument(where, `${name}[${n}]`, wanted, ids[n], 'ERR_OUT_OF_RANGE')
    }
  }
}
