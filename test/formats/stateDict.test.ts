import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeDirectory } from '../../src/files/write.js'
import { writeSafetensors } from '../../src/formats/safetensors.js'
import { loadStateDict, saveStateDict } from '../../src/formats/stateDict.js'
import { Classifier } from '../../src/models/classifier.js'
import { presets } from '../../src/models/presets.js'
import { BatchNorm1d, Linear } from '../../src/nn/index.js'
import { packSequence } from '../../src/packed.js'
import { dict, little, pickle, storage, tensor, zip } from '../reference/pickle.js'

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))
const preset = { ...presets['bilstm64x4-adam'], hiddenSize: 4, numLayers: 2 }
const newClassifier = () => new Classifier({ preset, vocabularySize: 12, embeddingDim: 5, classes: 3 })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packed-rnn-state-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Known {
  documents: number[][]
  logits: number[][]
}
const known = async (): Promise<Known> =>
  JSON.parse(await readFile(join(fixtures, 'classifier.json'), 'utf8'))

test('a PyTorch state dict loads by name and predicts the same', async () => {
  const { documents, logits } = await known()
  const model = newClassifier().eval()
  const result = await loadStateDict(model, join(fixtures, 'classifier.safetensors'))
  expect(result).toEqual({ missing: [], unexpected: [] })
  const found = await model.forward(packSequence(documents)).toArray()
  logits.flat().forEach((logit, i) => {
    // Both are float32, with logits below 1.
    expect(found[i]).toBeCloseTo(logit, 6)
  })
})

test('a file of torch.save loads, too', async () => {
  const [weight, bias] = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(7, 8)]
  const file = join(folder, 'linear.pt')
  const state = dict({
    weight: tensor(storage('FloatStorage', '0', 6), 0, [2, 3], [3, 1]),
    bias: tensor(storage('FloatStorage', '1', 2), 0, [2], [1]),
  })
  const numbers = { 'a/data/0': Buffer.from(weight.buffer), 'a/data/1': Buffer.from(bias.buffer) }
  await writeFile(file, zip({ 'a/data.pkl': pickle(state), ...numbers }))
  const module = new Linear({ inFeatures: 3, outFeatures: 2 })
  expect(await loadStateDict(module, file)).toEqual({ missing: [], unexpected: [] })
  expect([await module.weight.toArray(), await module.bias!.toArray()]).toEqual([weight, bias])
})

test("counts of a file of torch.save become float32, as of PyTorch's batch norm", async () => {
  const one = (kind: string, key: string) => tensor(storage(kind, key, 1), 0, [1], [1])
  const names = ['weight', 'bias', 'running_mean', 'running_var']
  const state = dict({
    ...Object.fromEntries(names.map((name, i) => [name, one('FloatStorage', String(i))])),
    num_batches_tracked: tensor(storage('LongStorage', '4', 1), 0, [], []),
  })
  const data = names.map((_, i): [string, Buffer] => [`a/data/${i}`, Buffer.from(Float32Array.of(i).buffer)])
  const file = join(folder, 'norm.pt')
  await writeFile(
    file,
    zip({ 'a/data.pkl': pickle(state), ...Object.fromEntries(data), 'a/data/4': little(7, 8) }),
  )
  const module = new BatchNorm1d({ numFeatures: 1 })
  expect(await loadStateDict(module, file)).toEqual({ missing: [], unexpected: [] })
  const found = await module.stateDict()
  expect([...found.get('num_batches_tracked')!.data, ...found.get('running_var')!.data]).toEqual([7, 3])
})

test('safetensors whose header is as long as a ZIP archive begins are no archive', async () => {
  const module = new Linear({ inFeatures: 2, outFeatures: 1 })
  const file = join(folder, 'long.safetensors')
  const entries = [...(await module.stateDict())].map(([name, { shape, data }]) => ({
    ...{ name, dtype: 'float32' as const, shape, data },
  }))
  const length = (padding: number) => writeSafetensors(entries, { padding: 'x'.repeat(padding) })
  // 0x4b50, and its first bytes are PK.
  const bytes = length(0x4b50 - Buffer.from(length(8)).readUInt32LE(0) + 8)
  expect(Buffer.from(bytes.subarray(0, 2)).toString()).toBe('PK')
  await writeFile(file, bytes)
  expect(await loadStateDict(module, file)).toEqual({ missing: [], unexpected: [] })
})

test('write errors are PackedRnnErrors that name the file', async () => {
  const nowhere = join(fixtures, 'classifier.json', 'below')
  const error = { code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining(`${nowhere}: ENOTDIR`) }
  await expect(saveStateDict(new Linear({ inFeatures: 1, outFeatures: 1 }), nowhere)).rejects.toMatchObject(
    error,
  )
  await expect(makeDirectory(nowhere)).rejects.toMatchObject(error)
})

const python = spawnSync('/usr/bin/python3', ['-c', 'import torch']).status === 0

test.skipIf(!python)(
  'ours loads in PyTorch, strictly, and predicts the same (skipped without PyTorch)',
  async () => {
    const { documents } = await known()
    const model = newClassifier().eval()
    const file = join(folder, 'ours.safetensors')
    await saveStateDict(model, file)
    const script = join(fixtures, 'state_dict.py')
    const logits: number[][] = JSON.parse(
      execFileSync('/usr/bin/python3', [script, 'read', file], { encoding: 'utf8' }),
    )
    const found = await model.forward(packSequence(documents)).toArray()
    logits.flat().forEach((logit, i) => {
      expect(found[i]).toBeCloseTo(logit, 6)
    })
  },
)

describe('names that do not match', () => {
  const file = () => join(folder, 'linear.safetensors')
  beforeAll(() => saveStateDict(new Linear({ inFeatures: 2, outFeatures: 3 }), file()))

  test('are rejected if strict, and nothing changes', async () => {
    const model = newClassifier()
    const before = await model.stateDict()
    await expect(loadStateDict(model, file())).rejects.toThrow(
      /loadStateDict: weight: wanted one of embedding\.weight/,
    )
    expect(await model.stateDict()).toEqual(before)
  })

  test('are returned if not strict', async () => {
    const model = new Linear({ inFeatures: 2, outFeatures: 3, bias: false })
    const result = await loadStateDict(model, file(), { strict: false })
    expect(result).toEqual({ missing: [], unexpected: ['bias'] })
    const other = newClassifier()
    const { missing, unexpected } = await loadStateDict(other, file(), { strict: false })
    expect(unexpected).toEqual(['weight', 'bias'])
    expect(missing).toContain('lstm.weight_hh_l1_reverse')
  })

  test('another shape is rejected even if not strict', async () => {
    const model = new Linear({ inFeatures: 4, outFeatures: 3 })
    await expect(loadStateDict(model, file(), { strict: false })).rejects.toThrow(
      /weight: wanted shape \[3, 4\], got \[3, 2\]/,
    )
  })
})
