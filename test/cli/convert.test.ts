import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readSafetensors } from '../../src/formats/index.js'

const run = promisify(execFile)
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const convert = (...args: string[]) => run(process.execPath, [main, 'convert', ...args])

let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-convert-'))
  for (const name of ['legacy.pt', 'module.pt']) {
    await copyFile(new URL(`../fixtures/torch/${name}`, import.meta.url), at(name))
  }
})
afterAll(() => rm(folder, { recursive: true }))

test('lists the content of a file, and writes each tensor once', async () => {
  const { stdout, stderr } = await convert(at('legacy.pt'), '--to', 'safetensors')
  const [heading, ...lines] = stdout.trimEnd().split('\n')
  expect(heading).toBe(`${at('legacy.pt')}: legacy, 24 tensors, 65 numbers, 20 other values`)
  expect(lines[0]).toMatch(/^ {2}model\.weight +float32 +\[2, 3\]$/)
  expect(lines.find(line => line.startsWith('  tied.decoder'))).toMatch(/ is tied\.encoder$/)
  expect(lines.at(-1)).toMatch(/^ {2}size\.1 +3$/)
  expect(stderr).toMatch(/legacy\.safetensors: 22 tensors\n$/)
  const { tensors } = readSafetensors(await readFile(at('legacy.safetensors')), 'written')
  expect(tensors.get('tied.columns')).toEqual({
    ...{ dtype: 'float32', shape: [3, 2] },
    data: Float32Array.of(0, 0.75, 0.25, 1, 0.5, 1.25),
  })
  expect([...tensors.keys()]).not.toContain('tied.decoder')
})

test('without --to it writes nothing', async () => {
  const { stdout, stderr } = await convert(at('legacy.pt'))
  expect(stdout).toContain('tied.encoder')
  expect(stderr).toBe('')
})

test('a whole module, a missing file and an unknown format are errors', async () => {
  await expect(convert(at('module.pt'))).rejects.toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('got torch.nn.modules.linear.Linear') },
  })
  await expect(convert(at('nothing.pt'))).rejects.toMatchObject({ code: 1 })
  await expect(convert(at('legacy.pt'), '--to', 'onnx')).rejects.toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining('--to: wanted safetensors, got onnx') },
  })
})
