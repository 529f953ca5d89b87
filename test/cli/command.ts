import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

/** The command, built. */
export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Where commands run: what they write without being told where is gone after the test file. */
export const elsewhere = mkdtempSync(join(tmpdir(), 'packed-rnn-elsewhere-'))
afterAll(() => rmSync(elsewhere, { recursive: true }))

/** The SHA-256 of a file: `toEqual` takes seconds for a megabyte. */
export async function hashOf(...path: string[]): Promise<string> {
  return createHash('sha256')
    .update(await readFile(join(...path)))
    .digest('hex')
}

export interface Result {
  code: number
  stdout: string
  stderr: string
}

/** Runs the command as a person would, from the built package. */
export function cli(
  args: string[],
  { input, env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Result> {
  return new Promise(resolve => {
    const options = { cwd: elsewhere, env: { ...process.env, ...env } }
    const child = execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
    if (input !== undefined) child.stdin?.end(input)
  })
}
