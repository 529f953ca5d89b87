import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const folder = fileURLToPath(new URL('../examples', import.meta.url))

// Against what is built, as a user runs them: they import the package by its name.
describe.each(readdirSync(folder).filter(name => name.endsWith('.js')))('examples/%s', name => {
  test('runs, and a reader sees it whole', () => {
    expect(readFileSync(join(folder, name), 'utf8').split('\n').length).toBeLessThanOrEqual(61)
    expect(execFileSync(process.execPath, [join(folder, name)], { encoding: 'utf8' })).not.toBe('')
  })
})
