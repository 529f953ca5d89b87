import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readWhole } from '../../src/files/read.js'
import { fastaiLanguageModel, readHdf5, readSafetensors, readTorch } from '../../src/formats/index.js'
import type { HostTensor } from '../../src/formats/safetensors.js'
import { LanguageModel, transferRows } from '../../src/models/index.js'
import { dataFolder } from '../data.js'
import { rejectionOf, thrownBy } from '../device/own.js'
import { fastaiFile, fastaiTensors } from '../reference/fastaiFiles.js'

function remove(tensors: Map<string, HostTensor>, isRemoved: (name: string) => boolean): void {
  for (const name of [...tensors.keys()]) if (isRemoved(name)) tensors.delete(name)
}

const sizes = { words: 11, embedding: 4, hidden: 6, layers: 3 }

describe('the language models of fast.ai', () => {
  const keysOf = (prefix: string, version: 0 | 1) => {
    const { tensors } = readTorch(fastaiFile({ ...sizes, version, prefix }), 'model.h5')
    return fastaiLanguageModel(tensors, 'model.h5')
  }
  test.each([
    ['0.7', '0.', 0],
    ['0.7, the encoder alone', '', 0],
    ['1', '0.', 1],
    ['1, with its optimiser', 'model.0.', 1],
  ] as const)('of version %s load into LanguageModel', async (_, prefix, version) => {
    const { parameters, ...found } = keysOf(prefix, version)
    expect(found).toEqual({ vocabularySize: 11, embeddingDim: 4, hiddenSize: 6, numLayers: 3 })
    using model = new LanguageModel({ ...found, tied: true })
    model.loadStateDict(parameters)
    const written = fastaiTensors({ ...sizes, version, prefix: '0.' })
    const state = await model.stateDict()
    expect(state.get('embedding.weight')!.data).toEqual(written.get('0.encoder.weight')!.data)
    const raw = version === 0 ? '0.rnns.2.module.weight_hh_l0_raw' : '0.rnns.2.weight_hh_l0_raw'
    expect(state.get('rnns.2.module.weight_hh_l0')!.data).toEqual(written.get(raw)!.data)
    const bias = written.get('1.decoder.bias')?.data ?? new Float32Array(11)
    expect(state.get('output.bias')!.data).toEqual(prefix === '' ? new Float32Array(11) : bias)
  })

  test.each<[string, (tensors: Map<string, HostTensor>) => void, string]>([
    [
      'an unknown name',
      tensors => tensors.set('0.rnns.0.module.weight_x', [...tensors.values()][0]!),
      'a name of',
    ],
    ['a missing parameter', tensors => tensors.delete('0.rnns.1.module.bias_hh_l0'), 'rnns.1.bias_hh_l0'],
    [
      'no word vectors',
      tensors => remove(tensors, name => name.includes('encoder') || name === '1.decoder.weight'),
      'encoder.weight',
    ],
    [
      'other numbers in the output layer',
      tensors =>
        tensors.set('1.decoder.weight', { dtype: 'float32', shape: [11, 4], data: new Float32Array(44) }),
      'as encoder.weight',
    ],
    [
      'a missing layer',
      tensors => remove(tensors, name => name.startsWith('0.rnns.2')),
      'a last layer of 4 units',
    ],
    [
      'inner layers of other sizes',
      tensors => {
        const shapes = {
          weight_ih_l0: [20, 6],
          weight_hh_l0_raw: [20, 5],
          bias_ih_l0: [20],
          bias_hh_l0: [20],
        }
        for (const [name, shape] of Object.entries(shapes)) {
          const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
          tensors.set(`0.rnns.1.module.${name}`, { dtype: 'float32', shape, data })
        }
        const data = new Float32Array(80)
        tensors.set('0.rnns.2.module.weight_ih_l0', { dtype: 'float32', shape: [16, 5], data })
      },
      'inner layers of 6 units',
    ],
    [
      'an output bias of another length',
      tensors => tensors.set('1.decoder.bias', { dtype: 'float32', shape: [12], data: new Float32Array(12) }),
      '1.decoder.bias of shape 11',
    ],
    [
      'integers',
      tensors =>
        tensors.set('0.encoder.weight', { dtype: 'int32', shape: [11, 4], data: new Int32Array(44) }),
      'float32 for encoder.weight',
    ],
  ])('%s is an error that names the file', (_, change, message) => {
    const tensors = fastaiTensors({ ...sizes, version: 0, prefix: '0.' })
    change(tensors)
    const error = thrownBy(() => fastaiLanguageModel(tensors, 'model.h5'))
    expect(error.code).toBe('ERR_FILE_FORMAT')
    expect(error.message).toContain('model.h5')
    expect(error.message).toContain(message)
  })
})

describe('transferRows', () => {
  test('takes the row of a known word, the first of a double one, and else the mean', () => {
    const rows = { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 8, 9) }
    const { shape, data } = transferRows(rows, ['a', 'b', 'a'], ['b', 'x', 'a'])
    expect(shape).toEqual([3, 2])
    expect(data).toEqual(Float32Array.of(3, 4, 4, 5, 1, 2))
    const bias = transferRows({ shape: [2], data: Float32Array.of(1, 3) }, ['a', 'b'], ['c', 'b', 'c'])
    expect(bias).toEqual({ shape: [3], data: Float32Array.of(2, 3, 2) })
    expect(thrownBy(() => transferRows(rows, ['a'], [])).message).toBe(
      'transferRows: from: wanted 3 words, got 1',
    )
  })
})

describe('HDF5', () => {
  let folder: string
  const at = (name: string) => join(folder, name)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-rnn-hdf5-'))
    const { File, ready } = await import('h5wasm/node')
    await ready
    const file = new File(at('keras.h5'), 'w')
    const layer = file.create_group('model_weights').create_group('lstm')
    layer.create_attribute('weight_names', ['lstm/kernel:0', 'lstm/bias:0'])
    layer.create_dataset({ name: 'kernel:0', data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] })
    layer.create_dataset({ name: 'bias:0', data: Float64Array.of(0.5, -0.25), shape: [2] })
    file.create_dataset({ name: 'steps', data: Int32Array.of(7), shape: [1] })
    file.create_dataset({ name: 'long', data: BigInt64Array.of(2n ** 30n), shape: [1] })
    file.create_dataset({ name: 'config', data: '{"class":"LSTM"}' })
    file.close()
    const large = new File(at('large.h5'), 'w')
    large.create_dataset({
      name: 'zeros',
      data: new Float32Array(2 ** 22),
      shape: [2 ** 22],
      chunks: [2 ** 18],
      compression: 9,
    })
    large.close()
    const strings = new File(at('strings.h5'), 'w')
    const many = new Array<string>(2 ** 18).fill('')
    strings.create_dataset({
      ...{ name: 'many', data: many, dtype: 'S100', shape: [2 ** 18], chunks: [2 ** 15], compression: 9 },
    })
    strings.close()
    const linked = new File(at('linked.h5'), 'w')
    for (let depth = 0; depth < 40; depth++) linked.create_group(`g${depth}`)
    for (let depth = 0; depth < 39; depth++) {
      for (const name of ['a', 'b']) linked.create_hard_link(`/g${depth + 1}`, `/g${depth}/${name}`)
    }
    linked.close()
    const wide = new File(at('wide.h5'), 'w')
    wide.create_dataset({ name: 'many', data: BigInt64Array.of(2n ** 40n), shape: [1] })
    wide.close()
  })
  afterAll(() => rm(folder, { recursive: true }))

  test("Keras's groups, attributes and other values", async () => {
    const { tensors, values } = await readHdf5(at('keras.h5'))
    expect(Object.fromEntries(tensors)).toEqual({
      long: { dtype: 'int32', shape: [1], data: Int32Array.of(2 ** 30) },
      'model_weights/lstm/bias:0': { dtype: 'float32', shape: [2], data: Float32Array.of(0.5, -0.25) },
      'model_weights/lstm/kernel:0': {
        ...{ dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      },
      steps: { dtype: 'int32', shape: [1], data: Int32Array.of(7) },
    })
    expect(Object.fromEntries(values)).toEqual({
      config: '{"class":"LSTM"}',
      'model_weights/lstm/@weight_names': 'lstm/kernel:0, lstm/bias:0',
    })
  })

  test('another file, a damaged one, and one that grows too much are errors', async () => {
    await writeFile(at('text.h5'), 'no HDF5 file at all')
    const bytes = await readWhole(at('keras.h5'))
    await writeFile(at('short.h5'), bytes.subarray(0, bytes.length / 2))
    for (const [name, wanted] of [
      ['text.h5', 'wanted an HDF5 file'],
      ['short.h5', 'wanted an HDF5 file'],
      ['large.h5', 'less data before zeros'],
      ['strings.h5', 'less data before many'],
      ['linked.h5', 'less data before'],
      ['wide.h5', 'integers of 32 bits in many'],
    ] as const) {
      const error = await rejectionOf(readHdf5(at(name)))
      expect(error.code).toBe('ERR_FILE_FORMAT')
      expect(error.message).toContain(name)
      expect(error.message).toContain(wanted)
    }
  })

  test("AllenNLP's ELMo has the numbers of its safetensors", async ({ skip }) => {
    const data = dataFolder()
    if (data === null) return skip('no data')
    const { tensors } = await readHdf5(join(data, 'elmo-fixture/lm_weights.hdf5'))
    const file = join(data, 'elmo-fixture/lm_weights.safetensors')
    const wanted = readSafetensors(await readWhole(file), file).tensors
    expect([...tensors.keys()].sort()).toEqual([...wanted.keys()].sort())
    for (const [name, tensor] of wanted) expect(tensors.get(name), name).toEqual(tensor)
  })
})
