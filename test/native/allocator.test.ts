// The allocator of the CPU's memory, with a system whose calls are watched.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-allocator-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('calls the system outside its lock, so other threads can allocate and free', async () => {
  const program = join(folder, 'allocator')
  const sources = ['native/cpu/allocator.cpp', 'test/native/allocator/main.cpp'].map(name => join(root, name))
  const flags = ['-std=c++20', '-O1', '-pthread', '-Wall', '-Wextra', '-Werror', '-I', join(root, 'native')]
  const wrapped = ['aligned_alloc', 'madvise', 'free'].map(name => `-Wl,--wrap=${name}`)
  await run(process.env.CXX ?? 'g++', [...flags, ...wrapped, ...sources, '-o', program])
  // Rejects with what it prints if a case is wrong.
  expect((await run(program)).stderr).toBe('')
})
