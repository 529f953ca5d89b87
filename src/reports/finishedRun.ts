import { median } from '../median.js'
import { type ClassificationMetrics, classificationMetrics } from '../training/metrics.js'
import type { EpochRecord, RunResults } from '../training/record.js'
import { readRunRecords } from '../training/records.js'
import { hasNotebookClasses, type NotebookTable, notComparable, notebookTables } from './notebookTables.js'

/** A finished run: its records, and values computed from them. */
export interface FinishedRun {
  directory: string
  epochs: EpochRecord[]
  results: RunResults
  /** Metrics on the test documents. */
  metrics: ClassificationMetrics
  /** The notebook's table for the preset; null if the categories are not the notebook's. */
  notebook: NotebookTable | null
  /** A sentence that says why the run is not comparable with the notebook; null if it is. */
  notComparable: string | null
}

/** Reads a finished run. @throws PackedRnnError (rejects) as `readRunRecords`; ERR_OUT_OF_RANGE for an invalid class number. */
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

/** The notebook's table if the run is comparable with it, else null. */
export function comparable({ notebook, notComparable }: FinishedRun): FinishedRun['notebook'] {
  return notComparable === null ? notebook : null
}

/** Minutes of training for 100 epochs, from the median epoch; NaN without epochs. */
export function minutesFor100(epochs: readonly EpochRecord[]): number {
  return (median(epochs.map(({ seconds }) => seconds)) * 100) / 60
}
