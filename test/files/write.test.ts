import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { atomicWrite } from '../../src/files/write.js'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'packed-rnn-files-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

test('writes a new file, replaces an old one, and leaves no other file', async () => {
  const file = join(directory, 'model.safetensors')
  await atomicWrite(file, Uint8Array.of(1, 2, 3))
  expect([...(await readFile(file))]).toEqual([1, 2, 3])
  await atomicWrite(file, Uint8Array.of(4))
  expect([...(await readFile(file))]).toEqual([4])
  expect(await readdir(directory)).toEqual(['model.safetensors'])
})

test('writes only the given slice of a buffer', async () => {
  const file = join(directory, 'window')
  await atomicWrite(file, Uint8Array.of(1, 2, 3, 4).subarray(1, 3))
  expect([...(await readFile(file))]).toEqual([2, 3])
})

test('after a failure the old file is intact and the temporary file is removed', async () => {
  // The bytes are written, but a file cannot be renamed to an existing directory.
  const taken = join(directory, 'taken')
  await mkdir(taken)
  await expect(atomicWrite(taken, Uint8Array.of(1))).rejects.toThrow(
    expect.objectContaining({ syscall: 'rename' }),
  )
  expect(await readdir(directory)).toEqual(['taken'])
})

test('a missing directory is the file system’s error', async () => {
  await expect(atomicWrite(join(directory, 'none', 'file'), Uint8Array.of(1))).rejects.toThrow(
    expect.objectContaining({ code: 'ENOENT' }),
  )
})

test('concurrent writers leave one complete file', async () => {
  const file = join(directory, 'raced')
  const contents = Array.from({ length: 8 }, (_, value) => new Uint8Array(100_000).fill(value))
  await Promise.all(contents.map(content => atomicWrite(file, content)))
  const written = await readFile(file)
  expect(written.length).toBe(100_000)
  expect(new Set(written).size).toBe(1)
  expect(await readdir(directory)).toEqual(['raced'])
})
