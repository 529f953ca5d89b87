import { PackedRnnError } from '../errors.js'
import { writeWhole } from '../files/write.js'
import { type FinishedRun, finishedRun } from './finishedRun.js'

/**
 * Writes an HTML page that shows runs side by side: plots with the same axes, scores, confusion matrices, and each run's
 * classification report, with the course notebook's figures for runs on the notebook's articles. The page is one file without
 * external resources.
 *
 * @param directories the directories of finished runs
 * @param file the page to write
 * @throws PackedRnnError (rejects) ERR_EMPTY without runs; ERR_INVALID_ARGUMENT if a file cannot be read or the page cannot be
 * written; ERR_FILE_FORMAT and ERR_OUT_OF_RANGE for invalid content of a file.
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
  await writeComparisonOf(await finishedRuns(directories), file)
}

/** Reads the runs in some directories. @throws PackedRnnError (rejects) as `writeComparison`. */
export async function finishedRuns(directories: readonly string[]): Promise<FinishedRun[]> {
  if (directories.length === 0) throw new PackedRnnError('ERR_EMPTY', 'writeComparison: no runs')
  return await Promise.all(directories.map(finishedRun))
}

/** Writes the same page for runs that have been read. */
export async function writeComparisonOf(runs: readonly FinishedRun[], file: string): Promise<void> {
  // Imported here, so that importing the package does not load the plotting libraries.
  const { comparePage } = await import('./comparePage.js')
  await writeWhole(file, Buffer.from(comparePage(runs)))
}
