import { PackedRnnError } from '../errors.js'
import { writeWhole } from '../files/write.js'
import { type FinishedRun, finishedRun } from './finishedRun.js'

/**
 * Writes a page that shows runs side by side: plots with the same axes, scores and confusion matrices, and each run's
 * classification report, with the course notebook's figures where its articles are the notebook's. It is one file that asks for
 * nothing.
 *
 * @param directories of runs that are over
 * @throws PackedRnnError (rejects) ERR_EMPTY without a run; ERR_INVALID_ARGUMENT where a file cannot be read or the page
 * cannot be written, ERR_FILE_FORMAT and ERR_OUT_OF_RANGE for what is wrong in one.
 */
export async function writeComparison(directories: readonly string[], file: string): Promise<void> {
  await writeComparisonOf(await finishedRuns(directories), file)
}

/** The runs of some directories. @throws PackedRnnError (rejects) as `writeComparison`. */
export async function finishedRuns(directories: readonly string[]): Promise<FinishedRun[]> {
  if (directories.length === 0) throw new PackedRnnError('ERR_EMPTY', 'writeComparison: no runs')
  return await Promise.all(directories.map(finishedRun))
}

/** The same page for runs that are read already. */
export async function writeComparisonOf(runs: readonly FinishedRun[], file: string): Promise<void> {
  // Here, so that who imports the package does not wait for the libraries that draw.
  const { comparePage } = await import('./comparePage.js')
  await writeWhole(file, Buffer.from(comparePage(runs)))
}
