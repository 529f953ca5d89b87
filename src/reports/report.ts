import { join } from 'node:path'
import { writeWhole } from '../files/write.js'
import { finishedRun } from './finishedRun.js'

/** The file that `writeReport` writes into a run's directory. */
export const REPORT_PAGE = 'report.html'

/**
 * Writes report.html into the directory of a run that is over: one file that asks for nothing, with plots of the epochs, the
 * scores beside the course notebook's, lengths, the most confident mistakes, settings and machine. It is made of
 * metrics.jsonl and results.json alone, so it can be made again.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT where one of these cannot be read or the page cannot be written,
 * ERR_FILE_FORMAT and ERR_OUT_OF_RANGE for what is wrong in them.
 */
export async function writeReport(directory: string): Promise<void> {
  const run = await finishedRun(directory)
  // Here, so that who imports the package does not wait for the libraries that draw.
  const { reportPage } = await import('./reportPage.js')
  await writeWhole(join(directory, REPORT_PAGE), Buffer.from(reportPage(run)))
}
