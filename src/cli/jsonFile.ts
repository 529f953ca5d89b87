import { writeFile } from 'node:fs/promises'
import { fileFailure } from '../files/failure.js'

/** Writes what `--json` asks for. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(value, null, 2)}\n`)
  } catch (error) {
    throw fileFailure(file, error)
  }
}
