// The allocator of device memory, which no kernel on the host runs on, with a device that has memory alone.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-memory-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('lends device memory within its limit, frees its reserve, and needs no host memory to take memory back', async () => {
  const program = join(folder, 'memory')
  const includes = ['test/native/memory', 'native', 'native/cuda/device'].flatMap(name => [
    '-I',
    join(root, name),
  ])
  const sources = ['native/cuda/device/device_memory.cpp', 'test/native/memory/main.cpp'].map(name =>
    join(root, name),
  )
  const flags = ['-std=c++20', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined']
  await run(process.env.CXX ?? 'g++', [...flags, ...includes, ...sources, '-o', program])
  // Rejects with what it says where something is not as it should be.
  expect((await run(program)).stderr).toBe('')
})
