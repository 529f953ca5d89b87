import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newDirectory } from '../../src/cli/directory.js'

const before = process.cwd()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-directory-'))
  process.chdir(folder)
})
afterAll(async () => {
  process.chdir(before)
  await rm(folder, { recursive: true })
})

test('runs that begin at once have separate directories, also if there is no runs/ yet', async () => {
  for (let i = 0; i < 100; i++) {
    const made = await Promise.all(Array.from({ length: 4 }, () => newDirectory('model')))
    expect(new Set(made).size, made.join()).toBe(4)
    await rm('runs', { recursive: true })
  }
})
