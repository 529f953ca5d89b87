import { writeFile } from 'node:fs/promises'
import { fileFailure } from '../files/failure.js'
import { fileOption } from './options.js'

/** The option of commands that also write their figures to a file. */
export const jsonOption = fileOption('where to write the figures')

/** Writes what `--json` asks for. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(value, null, 2)}\n`)
  } catch (error) {
    throw fileFailure(file, error)
  }
}
