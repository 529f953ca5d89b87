import { median } from '../median.js'
import { type ClassificationMetrics, classificationMetrics } from '../training/metrics.js'
import type { EpochRecord, RunResults } from '../training/record.js'
import { readRunRecords } from '../training/records.js'
import { hasNotebookClasses, type NotebookTable, notComparable, notebookTables } from './notebookTables.js'

/** A run that is over, with what follows from its records. */
export interface FinishedRun {
  directory: string
  epochs: EpochRecord[]
  results: RunResults
  /** On the test documents. */
  metrics: ClassificationMetrics
  /** Of its preset; null where the categories are others than the notebook's. */
  notebook: NotebookTable | null
  /** Why the two do not compare, a sentence; null where they do. */
  notComparable: string | null
}

/** @throws PackedRnnError (rejects) as `readRunRecords`; ERR_OUT_OF_RANGE for the number of a category that is none. */
export async function finishedRun(directory: string): Promise<FinishedRun> {
  const { epochs, results } = await readRunRecords(directory)
  const { truth, predicted } = results.test
  const metrics = classificationMetrics(truth, predicted, results.classes)
  return {
    ...{ directory, epochs, results, metrics },
    notebook: hasNotebookClasses(results.classes) ? notebookTables[results.preset] : null,
    notComparable: notComparable(results, metrics),
  }
}

/** The notebook's table, where a run's figures compare with it. */
export function comparable({ notebook, notComparable }: FinishedRun): FinishedRun['notebook'] {
  return notComparable === null ? notebook : null
}

/** Of training the median epoch, 100 times over; NaN without an epoch. */
export function minutesFor100(epochs: readonly EpochRecord[]): number {
  return (median(epochs.map(({ seconds }) => seconds)) * 100) / 60
}
