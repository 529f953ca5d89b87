import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compiledPackage, loader } from '../worker/compiled.js'

/** The device's thread has no memory: `starve.cpp` is preloaded into a process and lets its allocations fail. */

const run = promisify(execFile)

let folder: string
let library: string
beforeAll(async () => {
  folder = compiledPackage()
  library = join(folder, 'starve.so')
  const source = fileURLToPath(new URL('starve.cpp', import.meta.url))
  await run('g++', ['-shared', '-fPIC', '-O1', '-std=c++20', source, '-o', library])
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What each of 50 values and waits ends with, in a separate process: which ends, and how often. */
async function outcomes(every: number): Promise<Record<string, number>> {
  const source = `${loader(folder)}
    const { device } = await load('device.js')
    const { full } = await load('tensor.js')
    const { relu } = await load('ops/elementwise.js')
    const cpu = device('cpu', { threads: 2 })
    const ends = {}
    const count = (what, promise) => promise.then(() => what, error => error.code).then(end => {
      ends[end] = (ends[end] ?? 0) + 1
    })
    for (let i = 0; i < 50; i++) {
      const value = count('value', relu(full([8], i, { device: cpu })).toArray())
      await Promise.all([value, count('wait', cpu.synchronize())])
    }
    console.log(JSON.stringify(ends))`
  const env = { ...process.env, LD_PRELOAD: library, STARVE_EVERY: String(every) }
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', source], { env })
  return JSON.parse(stdout)
}

test('if every allocation fails, all values reject, all waits end, and the process survives', async () => {
  const { ERR_OUT_OF_MEMORY: failed = 0, wait = 0, ...others } = await outcomes(1)
  expect(others).toEqual({})
  expect(failed).toBeGreaterThanOrEqual(50)
  expect(failed + wait).toBe(100)
})

test.each([2, 3, 5, 8])('if one of %i allocations fails, every promise settles', async every => {
  const { ERR_OUT_OF_MEMORY: failed = 0, value = 0, wait = 0, ...others } = await outcomes(every)
  expect(others).toEqual({})
  expect(failed).toBeGreaterThan(0)
  expect(failed + value + wait).toBe(100)
})
