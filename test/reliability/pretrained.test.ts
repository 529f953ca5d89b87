import { constants } from 'node:buffer'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTorchFile } from '../../src/formats/torch.js'
import { fastaiParts } from '../reference/fastaiFiles.js'
import { compiledPackage } from '../worker/compiled.js'
import { long, many } from './length.js'
import { watch } from './watched.js'

/** The sizes of fwd_wt103.h5, with fewer words in `npm test`. */
const sizes = { words: many(20_000, 238_462), embedding: 400, hidden: 1150, layers: 3 }

let folder: string
let file: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-rnn-pretrained-'))
  file = join(folder, 'fwd.h5')
  const out = openSync(file, 'w')
  const fill = (size: number) => Float32Array.from({ length: size }, (_, i) => (i % 251) / 128 - 1)
  for (const part of fastaiParts({ ...sizes, version: 0, prefix: '0.', fill })) {
    for (let at = 0; at < part.length; ) at += writeSync(out, part, at, part.length - at)
  }
  closeSync(out)
})
afterAll(() => rmSync(folder, { recursive: true }))

test('a pretrained model is read in seconds, with little more memory than the file has', async () => {
  const compiled = compiledPackage({ src: 'src', 'test/reliability': 'test/reliability' })
  try {
    const { trouble, last } = await watch(join(compiled, 'test/reliability/pretrained.js'), [file])
    expect(trouble).toBe('')
    const { seconds, peak, ...found } = JSON.parse(last)
    expect(found).toEqual({
      vocabularySize: sizes.words,
      embeddingDim: 400,
      hiddenSize: 1150,
      numLayers: 3,
      sum: 0,
    })
    const bytes = statSync(file).size
    console.log(
      `${(bytes / 2 ** 20).toFixed(0)} MiB in ${seconds.toFixed(1)} s, ${(peak / bytes).toFixed(2)} of its size`,
    )
    expect(seconds).toBeLessThan(30)
    // What V8 keeps for itself is more than a small file has.
    expect(peak).toBeLessThan(1.3 * bytes + many(30, 0) * 2 ** 20)
  } finally {
    rmSync(compiled, { recursive: true })
  }
})

// A sparse file of zeros. Node ends the process if a single read asks for 2 GiB.
test.runIf(long)('a file of more than 2 GiB without a model is rejected', async () => {
  const large = join(folder, 'large.pt')
  closeSync(openSync(large, 'w'))
  truncateSync(large, 2 ** 31 + 5)
  await expect(readTorchFile(large)).rejects.toThrow(`${large}: wanted`)
})

test.runIf(constants.MAX_LENGTH < 2 ** 40)('a file larger than a buffer can be is rejected', async () => {
  const large = join(folder, 'larger.pt')
  closeSync(openSync(large, 'w'))
  truncateSync(large, constants.MAX_LENGTH + 1)
  await expect(readTorchFile(large)).rejects.toThrow(`${large}: wanted at most`)
})
