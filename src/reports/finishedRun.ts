import { median } from '../median.js'
import type { EpochRecord } from '../training/record.js'
import { type ResultsKind, type RunRecords, readRecords } from '../training/records.js'

/** A finished run of any task: its directory and its records. */
export interface FinishedRun<Own extends object = object> extends RunRecords<Own> {
  directory: string
}

/** Reads a finished run. @throws PackedRnnError (rejects) as `readRecords`. */
export async function finishedRun<Own extends object>(
  directory: string,
  kind: ResultsKind<Own>,
): Promise<FinishedRun<Own>> {
  return { directory, ...(await readRecords(directory, kind)) }
}

/** Minutes of training for 100 epochs, from the median epoch; NaN without epochs. */
export function minutesFor100(epochs: readonly EpochRecord[]): number {
  return (median(epochs.map(({ seconds }) => seconds)) * 100) / 60
}
