import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** Returns a function from file names to paths in a temporary folder, which is removed after the test file. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-text-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  return name => join(folder, name)
}
