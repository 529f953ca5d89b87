import type { PresetName } from '../models/presets.js'
import type { ClassificationMetrics } from '../tasks/classificationMetrics.js'
import type { RunResults } from '../tasks/classificationResults.js'

/** Precision, recall and F1 as the notebook prints them. */
export type PrintedScores = readonly [precision: number, recall: number, f1: number]

/** The course notebook's figures of one of its four experiments. Each experiment is one run. */
export interface NotebookTable {
  /** Approximate minutes for 100 epochs on the author's GPU. */
  minutes: number
  accuracy: number
  macro: PrintedScores
  weighted: PrintedScores
  perClass: Readonly<Record<string, PrintedScores>>
}

/** The tables under "Results" in the course notebook on recurrent networks, by the preset that reproduces the experiment. */
export const notebookTables: Readonly<Record<PresetName, NotebookTable>> = {
  'lstm64-sgd': {
    minutes: 25,
    accuracy: 0.8,
    macro: [0.78, 0.79, 0.78],
    weighted: [0.81, 0.8, 0.8],
    perClass: {
      Etat: [0.8, 0.7, 0.75],
      Inland: [0.66, 0.72, 0.69],
      International: [0.87, 0.81, 0.84],
      Kultur: [0.73, 0.74, 0.73],
      Panorama: [0.78, 0.71, 0.75],
      Sport: [0.95, 0.98, 0.97],
      Web: [0.9, 0.89, 0.89],
      Wirtschaft: [0.81, 0.7, 0.75],
      Wissenschaft: [0.53, 0.89, 0.66],
    },
  },
  'lstm64-adam': {
    minutes: 25,
    accuracy: 0.82,
    macro: [0.82, 0.82, 0.82],
    weighted: [0.82, 0.82, 0.82],
    perClass: {
      Etat: [0.81, 0.75, 0.78],
      Inland: [0.71, 0.74, 0.72],
      International: [0.86, 0.83, 0.84],
      Kultur: [0.85, 0.81, 0.83],
      Panorama: [0.74, 0.75, 0.74],
      Sport: [0.97, 0.96, 0.97],
      Web: [0.89, 0.89, 0.89],
      Wirtschaft: [0.77, 0.79, 0.78],
      Wissenschaft: [0.81, 0.88, 0.84],
    },
  },
  'bilstm128x2-adam': {
    minutes: 55,
    accuracy: 0.85,
    macro: [0.85, 0.85, 0.85],
    weighted: [0.85, 0.85, 0.85],
    perClass: {
      Etat: [0.86, 0.76, 0.81],
      Inland: [0.73, 0.78, 0.76],
      International: [0.88, 0.86, 0.87],
      Kultur: [0.85, 0.83, 0.84],
      Panorama: [0.79, 0.76, 0.77],
      Sport: [0.98, 0.98, 0.98],
      Web: [0.9, 0.91, 0.91],
      Wirtschaft: [0.81, 0.8, 0.81],
      Wissenschaft: [0.82, 0.96, 0.89],
    },
  },
  'bilstm64x4-adam': {
    minutes: 70,
    accuracy: 0.84,
    macro: [0.85, 0.83, 0.84],
    weighted: [0.85, 0.84, 0.84],
    perClass: {
      Etat: [0.87, 0.69, 0.77],
      Inland: [0.75, 0.75, 0.75],
      International: [0.83, 0.85, 0.84],
      Kultur: [0.81, 0.78, 0.79],
      Panorama: [0.73, 0.82, 0.78],
      Sport: [0.99, 0.98, 0.99],
      Web: [0.92, 0.93, 0.92],
      Wirtschaft: [0.84, 0.79, 0.82],
      Wissenschaft: [0.91, 0.86, 0.88],
    },
  },
}

/** Numbers of articles in 10kGNAD's official train.csv, and in its test.csv by category. */
const OFFICIAL_TRAINING = 9245
const OFFICIAL_TEST: Readonly<Record<string, number>> = {
  Etat: 67,
  Inland: 102,
  International: 151,
  Kultur: 54,
  Panorama: 168,
  Sport: 120,
  Web: 168,
  Wirtschaft: 141,
  Wissenschaft: 57,
}

/**
 * Returns a sentence that says why a run is not comparable with the notebook; null if it is. A run is comparable if the
 * number of training articles, and the number of test articles in each category, are those of the official files.
 */
export function notComparable(
  { classes, lengths }: Pick<RunResults, 'classes' | 'lengths'>,
  { perClass }: Pick<ClassificationMetrics, 'perClass'>,
): string | null {
  const official = '10kGNAD’s official 9,245 training and 1,028 test articles'
  if (!hasNotebookClasses(classes)) {
    return `Not comparable with the notebook: it uses the nine categories of ${official}, and this run has other categories.`
  }
  const { training, test } = lengths
  const same =
    training.length === OFFICIAL_TRAINING &&
    perClass.every(({ name, support }) => OFFICIAL_TEST[name] === support)
  if (same) return null
  const counts = `${count(training.length)} training and ${count(test.length)} test articles`
  return `Not comparable with the notebook: it uses ${official}, and this run ${counts}.`
}

/** Whether the categories are the notebook's nine. */
export function hasNotebookClasses(classes: readonly string[]): boolean {
  const wanted = Object.keys(OFFICIAL_TEST)
  return classes.length === wanted.length && wanted.every(name => classes.includes(name))
}

function count(value: number): string {
  return value.toLocaleString('en')
}
