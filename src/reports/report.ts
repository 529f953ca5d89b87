import { join } from 'node:path'
import { writeWhole } from '../files/write.js'
import type { TaskView } from './taskView.js'
import { viewOfRun } from './views.js'

/** The name of the page that `writeReport` writes. */
export const REPORT_PAGE = 'report.html'

/**
 * Writes report.html into the directory of a finished run: one file without external resources, with a plot of each metric by
 * epoch, settings and machine. A classifier's page also has its scores beside the course notebook's, document lengths and the
 * most confident mistakes. It is generated from metrics.jsonl and results.json only, so you can regenerate it.
 *
 * @param directory the directory of a finished run
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if one of the two files cannot be read or the page cannot be written;
 * ERR_FILE_FORMAT and ERR_OUT_OF_RANGE for invalid content of a file.
 * @example
 * ```ts
 * import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
 * import { writeReport } from 'packed-rnn/reports'
 *
 * const run = mkdtempSync('run-') // usually a directory that `train` wrote
 * const results = { format: 'packed-rnn results 1', preset: 'lstm64-adam', settings: {}, machine: {}, seconds: 2 }
 * const data = { classes: ['Sport', 'Web'], vocabularySize: 90, lengths: { training: [310, 250], test: [290] } }
 * const found = { test: { loss: 0.4, truth: [1], predicted: [1] }, mistakes: [] }
 * writeFileSync(`${run}/results.json`, JSON.stringify({ ...results, ...data, ...found }))
 * writeFileSync(`${run}/metrics.jsonl`, '')
 * await writeReport(run)
 * console.log(existsSync(`${run}/report.html`)) // true
 * rmSync(run, { recursive: true })
 * ```
 */
export async function writeReport(directory: string): Promise<void> {
  await writeReportOf(directory, await viewOfRun(directory))
}

/** Writes the page of a run as a view shows it. */
export async function writeReportOf(directory: string, view: TaskView): Promise<void> {
  const run = await view.read(directory)
  // Imported here, so that importing the package does not load the plotting libraries.
  const { reportPage } = await import('./reportPage.js')
  await writeWhole(join(directory, REPORT_PAGE), Buffer.from(reportPage(run, view)))
}
