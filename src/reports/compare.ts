import { PackedRnnError } from '../errors.js'
import { writeWhole } from '../files/write.js'
import type { TaskView } from './taskView.js'
import { viewOfRun } from './views.js'

/**
 * Writes an HTML page that shows runs of a task side by side, in plots with the same axes. Classifiers also have their scores,
 * confusion matrices and reports, with the course notebook's figures for runs on the notebook's articles. The page is one file
 * without external resources.
 *
 * @param directories the directories of finished runs
 * @param file the page to write
 * @throws PackedRnnError (rejects) ERR_EMPTY without runs; ERR_INVALID_ARGUMENT if a file cannot be read or the page cannot be
 * written; ERR_FILE_FORMAT and ERR_OUT_OF_RANGE for invalid content of a file, as a run of another task than the
 * first.
 * @example
 * ```ts
 * import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
 * import { writeComparison } from 'packed-rnn/reports'
 *
 * const run = mkdtempSync('run-') // usually a directory that `train` wrote
 * const results = { format: 'packed-rnn results 1', preset: 'lstm64-adam', settings: {}, machine: {}, seconds: 2 }
 * const data = { classes: ['Sport', 'Web'], vocabularySize: 90, lengths: { training: [310, 250], test: [290] } }
 * const found = { test: { loss: 0.4, truth: [1], predicted: [1] }, mistakes: [] }
 * writeFileSync(`${run}/results.json`, JSON.stringify({ ...results, ...data, ...found }))
 * writeFileSync(`${run}/metrics.jsonl`, '')
 * await writeComparison([run], `${run}/compare.html`)
 * console.log(existsSync(`${run}/compare.html`)) // true
 * rmSync(run, { recursive: true })
 * ```
 */
export async function writeComparison(directories: readonly string[], file: string): Promise<void> {
  if (directories.length === 0) throw new PackedRnnError('ERR_EMPTY', 'writeComparison: no runs')
  await writeComparisonOf(directories, file, await viewOfRun(directories[0]!))
}

/** Writes the page of runs as the view of their task shows them. */
export async function writeComparisonOf(
  directories: readonly string[],
  file: string,
  view: TaskView,
): Promise<void> {
  const runs = await Promise.all(directories.map(directory => view.read(directory)))
  // Imported here, so that importing the package does not load the plotting libraries.
  const { comparePage } = await import('./comparePage.js')
  await writeWhole(file, Buffer.from(comparePage(runs, view)))
}
