import { type ClassificationMetrics, classificationMetrics } from '../tasks/classificationMetrics.js'
import { type ClassifierResults, classificationResults } from '../tasks/classificationResults.js'
import { type FinishedRun, finishedRun } from './finishedRun.js'
import { hasNotebookClasses, type NotebookTable, notComparable, notebookTables } from './notebookTables.js'

/** A finished run of a classifier, and values computed from its records. */
export interface ClassifiedRun extends FinishedRun<ClassifierResults> {
  /** Metrics on the test documents. */
  metrics: ClassificationMetrics
  /** The notebook's table for the preset; null if the categories are not the notebook's. */
  notebook: NotebookTable | null
  /** A sentence that says why the run is not comparable with the notebook; null if it is. */
  notComparable: string | null
}

/** Reads a finished run. @throws PackedRnnError (rejects) as `finishedRun`; ERR_OUT_OF_RANGE for an invalid class number. */
export async function classifiedRun(directory: string): Promise<ClassifiedRun> {
  const run = await finishedRun(directory, classificationResults)
  const { classes, preset, test } = run.results
  const metrics = classificationMetrics(test.truth, test.predicted, classes)
  return {
    ...{ ...run, metrics },
    notebook: hasNotebookClasses(classes) ? notebookTables[preset] : null,
    notComparable: notComparable(run.results, metrics),
  }
}

/** The notebook's table if the run is comparable with it, else null. */
export function comparable({ notebook, notComparable }: ClassifiedRun): ClassifiedRun['notebook'] {
  return notComparable === null ? notebook : null
}
