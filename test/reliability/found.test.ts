import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { device } from '../../src/device.js'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { loadStateDict, saveStateDict } from '../../src/formats/stateDict.js'
import type { Classifier } from '../../src/models/classifier.js'
import { presets } from '../../src/models/presets.js'
import { Dropout, GRU } from '../../src/nn/index.js'
import { concatColumns } from '../../src/ops/columns.js'
import { embeddingForward } from '../../src/ops/embedding.js'
import { packPaddedSequence, padPackedSequence } from '../../src/ops/packing.js'
import { lastHidden } from '../../src/ops/pooling.js'
import { lstm } from '../../src/ops/recurrent.js'
import { packedRows } from '../../src/ops/rows.js'
import { clipGradNorm, clipGradValue } from '../../src/optim/clip.js'
import { SGD } from '../../src/optim/index.js'
import { PackedIds, PackedSequence, packSequence, type RowIndex, Sequences } from '../../src/packed.js'
import { loadRun, saveRun } from '../../src/tasks/classifierRun.js'
import { type Tensor, tensor, zeros } from '../../src/tensor.js'
import { readArticles } from '../../src/text/gnad.js'
import { LabelEncoder } from '../../src/text/labels.js'
import { readPosts } from '../../src/text/omp.js'
import { readWordVectors } from '../../src/text/vectors.js'
import { Vocabulary } from '../../src/text/vocabulary.js'
import { loadCheckpoint, saveCheckpoint } from '../../src/training/checkpoint.js'
import { labels, shortClassifier, vocabulary } from '../training/short.js'

/** What the fuzzing in this folder found, and hostile files that it cannot draw, each as small as it gets. */

const cpu = device('cpu', { threads: 1 })
const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-found-'))
const path = (name: string) => join(folder, name)
const untyped = <T>(value: unknown) => value as T
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.unstubAllGlobals())

describe('an index made by hand', () => {
  const integers = (...values: number[]) => tensor(Int32Array.from(values), [values.length], { device: cpu })
  const rows = zeros([2, 3], { device: cpu })
  const indexed = (index: number[], starts: number[], order: number[]) => () =>
    new PackedSequence(rows, new Sequences([3]), {
      index: integers(...index),
      starts: integers(...starts),
      order: integers(...order),
    })

  test('is accepted if its two directions agree', () => {
    expect(indexed([1, 0, 1], [0, 1, 3], [1, 0, 2])().width).toBe(3)
  })

  test('is checked as it was when its tensor was made', () => {
    const values = Int32Array.of(1, 0, 99)
    const order = tensor(values, [3], { device: cpu })
    values[2] = 2
    const index = { index: integers(1, 0, 1), starts: integers(0, 1, 3), order }
    expect(() => new PackedSequence(rows, new Sequences([3]), index)).toThrow('distinct row 1, got 99')
  })

  test('is checked again if a part of it is replaced', async () => {
    const { index } = indexed([1, 0, 1], [0, 1, 3], [1, 0, 2])()
    const wrap = (given: RowIndex) => new PackedSequence(rows, new Sequences([3]), given)
    expect(wrap(index!).index).toBe(index)
    expect(() => Object.assign(index!, { order: integers(1, 0, 99) })).toThrow(/read only/)
    expect(() => wrap({ ...index!, order: integers(1, 0, 99) })).toThrow('distinct row 1, got 99')
    const own: { -readonly [K in keyof RowIndex]: RowIndex[K] } = { ...index! }
    const { index: kept } = wrap(own)
    own.order = integers(1, 0, 99)
    expect(kept!.order).toBe(index!.order)
    expect(() => wrap(own)).toThrow('distinct row 1, got 99')
    let reads = 0
    const changing = {
      ...index!,
      get order() {
        return integers(1, 0, reads++ > 0 ? 99 : 2)
      },
    }
    expect(await wrap(changing).index!.order.toArray()).toEqual(Int32Array.of(1, 0, 2))
  })

  // Each of these made the backward pass read outside of its memory.
  test.each([
    [
      'a row that is none',
      [1, 0, 1],
      [0, 1, 3],
      [1, 0, 99],
      'index.order[2]: wanted the next row that uses distinct row 1, got 99',
    ],
    [
      'a distinct row that is none',
      [1, 0, 2],
      [0, 1, 3],
      [1, 0, 2],
      'index.order[2]: wanted the next row that uses distinct row 1, got 2',
    ],
    [
      'a row that comes twice',
      [1, 0, 1],
      [0, 1, 3],
      [1, 2, 2],
      'index.order[2]: wanted the next row that uses distinct row 1, got 2',
    ],
    [
      'starts that begin elsewhere',
      [1, 0, 1],
      [-5, 1, 3],
      [1, 0, 2],
      'index.starts: wanted ascending numbers from 0',
    ],
    ['starts that fall', [1, 0, 1], [0, 1, 0], [1, 0, 2], 'index.starts: wanted ascending numbers from 0'],
    ['starts that end too soon', [1, 0, 1], [0, 1, 2], [1, 0, 2], 'index.starts: wanted 3 at its end, got 2'],
    [
      'starts that end too late',
      [1, 0, 1],
      [0, 1, 9],
      [1, 0, 2],
      'index.order[3]: wanted the next row that uses distinct row 1, got undefined',
    ],
  ])('is rejected for %s', (_, index, starts, order, message) => {
    expect(indexed(index, starts, order)).toThrow(message)
  })
})

describe('rows without numbers', () => {
  test('can be packed', async () => {
    const packed = packPaddedSequence(zeros([4, 2, 0], { device: cpu }), [3, 2])
    expect((await packed.data.toArray()).length).toBe(0)
    expect(packedRows(packed).shape).toEqual([5, 0])
  })

  test('are not visited one by one', async () => {
    const rows = zeros([2 ** 39, 0], { device: cpu })
    const both = concatColumns(rows, rows)
    expect(both.shape).toEqual([2 ** 39, 0])
    expect((await both.toArray()).length).toBe(0)
  })

  test('may have any width if there are none', async () => {
    const [wide, one] = [zeros([0, 2 ** 53 - 2], { device: cpu }), zeros([0, 1], { device: cpu })]
    const both = concatColumns(wide, one)
    expect(both.shape).toEqual([0, 2 ** 53 - 1])
    expect((await both.toArray()).length).toBe(0)
    expect(() => concatColumns(both, one)).toThrow('concatColumns: columns of all tensors: wanted an integer')
  })

  test('may be more than an int32 can count in a table', async () => {
    const { output } = embeddingForward(zeros([2 ** 31 + 5, 0], { device: cpu }), new PackedIds([[2, 0, 2]]))
    expect(output.data.shape).toEqual([2, 0])
    await output.data.toArray()
  })
})

describe('more rows than an int32 can count', () => {
  const packed = () => packSequence([new Float32Array(2), new Float32Array(4)], { inputSize: 2, device: cpu })
  test.each([
    ['padPackedSequence', () => padPackedSequence(packed(), { totalLength: 2 ** 30 })],
    ['lastHidden', () => lastHidden(zeros([1, 2 ** 31, 0], { device: cpu }), 1)],
  ])('%s', (name, call) => {
    expect(call).toThrow(
      `${name}: rows of the result: wanted an integer from 0 to 2147483647, got 2147483648`,
    )
  })

  test('nn', () => {
    const gru = new GRU({ inputSize: 3, hiddenSize: 2, device: cpu })
    expect(() => gru.forward(zeros([0, 2 ** 40, 3], { device: cpu }))).toThrow(
      'nn.GRU: x: wanted dimensions below 2^31',
    )
  })
})

test('values that are not a sequence or a parameter are rejected by name', () => {
  expect(() => lstm(untyped(null), [], { hiddenSize: 2 })).toThrow(
    'lstmForward: x: wanted a packed sequence, got null',
  )
  const groups = [{ parameters: [untyped<Tensor<'float32'>>(undefined)], lr: 1 }]
  expect(() => new SGD(groups, { lr: 1 })).toThrow('parameters[0]: wanted a tensor, got undefined')
  const x = untyped<Tensor<'float32'>>({})
  expect(() => new Dropout({ p: 0, device: cpu }).forward(x)).toThrow(
    'nn.Dropout: x: wanted a tensor, got Object',
  )
  for (const clip of [clipGradNorm, clipGradValue]) {
    expect(() => clip(untyped([null]), 1)).toThrow(`${clip.name}: parameters[0]: wanted a tensor, got null`)
  }
})

test('overlapping safetensors are rejected before anything is copied', () => {
  const size = 2 ** 22
  const tensors = Array.from({ length: 500 }, (_, i) => [
    `t${i}`,
    { dtype: 'F32', shape: [size / 4], data_offsets: [0, size] },
  ])
  const header = Buffer.from(JSON.stringify(Object.fromEntries(tensors)))
  const file = Buffer.alloc(8 + header.length + size)
  file.writeBigUInt64LE(BigInt(header.length))
  header.copy(file, 8)
  const before = process.resourceUsage().maxRSS
  expect(() => readSafetensors(file, 'overlap')).toThrow(
    'overlap: wanted tensor t1: data at byte 4194304, got an overlap',
  )
  expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(200)
})

describe('word vectors with a header that promises too much', () => {
  /** The largest table that was made meanwhile. */
  async function largestTable(read: Promise<unknown>): Promise<{ error: unknown; numbers: number }> {
    let numbers = 0
    vi.stubGlobal(
      'Float32Array',
      new Proxy(Float32Array, {
        construct(target, args) {
          if (typeof args[0] === 'number') numbers = Math.max(numbers, args[0])
          return Reflect.construct(target, args)
        },
      }),
    )
    const error = await read.catch(reason => reason)
    return { error, numbers }
  }

  test.each([
    ['rows.txt', Buffer.from('99999999 3\na 1 2 3\n'), 50],
    ['rows.gz', gzipSync('99999999 3\na 1 2 3\n'), 50 * 1032],
  ])('%s: rows', async (name, content, most) => {
    writeFileSync(path(name), content)
    const { error, numbers } = await largestTable(readWordVectors(path(name)))
    expect(String(error)).toContain(`${path(name)}: wanted 99999999 rows, got 1`)
    expect(numbers).toBeLessThan(most)
  })

  test('numbers in a row', async () => {
    writeFileSync(path('dim.txt'), '1 999999999\na 1 2 3\n')
    const { error, numbers } = await largestTable(readWordVectors(path('dim.txt')))
    expect(String(error)).toContain(
      `${path('dim.txt')}:1: wanted at most 4194304 numbers in a row, got 999999999`,
    )
    expect(numbers).toBe(0)
  })
})

test('values that are not a file name, a device or a module are rejected', async () => {
  const code = 'ERR_INVALID_ARGUMENT'
  for (const read of [readArticles, readPosts, readWordVectors]) {
    await expect(read('a\0b')).rejects.toMatchObject({ code, message: expect.stringContaining('null bytes') })
  }
  await expect(saveStateDict(untyped({}), path('x'))).rejects.toThrow(
    'saveStateDict: module: wanted a Module, got Object',
  )
  await expect(loadStateDict(untyped(null), path('x'))).rejects.toThrow(
    'loadStateDict: module: wanted a Module, got null',
  )
  const on = { device: untyped<typeof cpu>('cpu') }
  expect(() => zeros([2], on)).toThrow('full: device: wanted a device from device(), got cpu')
  expect(() => tensor([2], [1], on)).toThrow('tensor: device: wanted')
  expect(() => packSequence([], { inputSize: 1, ...on })).toThrow('packSequence: device: wanted')
  expect(() => new GRU({ inputSize: 3, hiddenSize: 2, ...on })).toThrow('nn.Module: device: wanted')
})

test.each([
  ['articles', readArticles, "Web;'"],
  ['posts', readPosts, 'category,value,fold,headline,body\n"'],
])('an unclosed quote of %s is rejected, however well it is compressed', async (name, read, begin) => {
  const file = path(`${name}.csv.gz`)
  await writeFile(file, gzipSync(begin + 'a'.repeat(2 ** 24 + 2 ** 20)))
  await expect(read(file)).rejects.toMatchObject({
    code: 'ERR_FILE_FORMAT',
    message: expect.stringContaining('Max Record Size'),
  })
})

describe('the files of a run', () => {
  test('a checkpoint with means of NaN, from an epoch without documents, can be read', async () => {
    const preset = presets['lstm64-adam']
    const trainer = new Trainer(shortClassifier('lstm64-adam', { on: cpu }), preset)
    const state = await trainer.state()
    const gradNorm = { mean: Number.NaN, largest: 0 }
    const nothing = { loss: Number.NaN, accuracy: Number.NaN }
    state.position.history.push({
      ...{ epoch: 1, steps: 0, ...nothing, metrics: nothing, gradNorm, learningRate: Number.NaN },
      ...{ test: { loss: Number.NaN, accuracy: Number.NaN }, seconds: 0, tokensPerSecond: Number.NaN },
    })
    await saveCheckpoint(folder, state, null)
    const { state: read } = await loadCheckpoint(folder)
    expect(read.position).toEqual(state.position)
  })

  // JSON.stringify gave undefined, and the checkpoint was not read again.
  const ring: unknown[] = []
  ring.push(ring)
  const notJson: Record<string, unknown> = {
    undefined: undefined,
    '1': 1n,
    '[an array]': ring,
    Object: { ring },
  }
  test.each(Object.keys(notJson))(
    'a checkpoint about %s, which JSON cannot hold, is not written',
    async got => {
      const trainer = new Trainer(shortClassifier('lstm64-adam', { on: cpu }), presets['lstm64-adam'])
      await expect(saveCheckpoint(path('none'), await trainer.state(), notJson[got])).rejects.toThrow(
        `saveCheckpoint: about: wanted a JSON-serializable value, got ${got}`,
      )
    },
  )

  // Each of these was written, and rejected by loadRun.
  test.each([
    [{ preset: 'lstm65-adam' }, 'saveRun: run.preset: wanted one of'],
    [{ tokenizer: 'letters' }, 'saveRun: run.tokenizer: wanted one of'],
    [{ preset: 'bilstm64x4-adam' }, 'saveRun: run.model: wanted the layers of bilstm64x4-adam'],
    [{ labels: new LabelEncoder(['a']) }, 'saveRun: run.labels: wanted 9 classes, as the model, got 1'],
    [{ vocabulary: Vocabulary.fromWords(['a']) }, `saveRun: run.vocabulary: wanted ${vocabulary.size} ids`],
    [
      { posts: { category: 'a', fold: Number.NaN } },
      'saveRun: run.posts.fold: wanted an integer from 1 to 2147483647',
    ],
    [{ posts: { fold: 1 } }, 'saveRun: run.posts.category: wanted a category, got undefined'],
    [{ dialect: 'tsv' }, 'saveRun: run.dialect: wanted one of csv, notebook, got tsv'],
    [{ model: null }, 'saveRun: run.model: wanted a Classifier, got null'],
  ])('an inconsistent run is not written: %o', async (part, message) => {
    const model = shortClassifier('lstm64-adam', { on: cpu })
    const rest = { dialect: 'csv', posts: null, tokenizer: 'whitespace', vocabulary, labels } as const
    const run = { preset: 'lstm64-adam', model, ...rest, ...untyped<object>(part) } as const
    await expect(saveRun(run, path('no-run'))).rejects.toThrow(message)
    expect(existsSync(path('no-run'))).toBe(false)
  })

  test('a run without `posts` is a run of articles', async () => {
    const model = shortClassifier('lstm64-adam', { on: cpu })
    const rest = {
      dialect: 'csv',
      posts: untyped<null>(undefined),
      tokenizer: 'whitespace',
      vocabulary,
      labels,
    } as const
    await saveRun({ preset: 'lstm64-adam', model, ...rest }, path('articles-run'))
    expect((await loadRun(path('articles-run'), { device: cpu })).posts).toBe(null)
  })

  test.each([
    ['config.json', '"lstm64-adam"', '"lstm65-adam"', 'preset: name: wanted'],
    ['config.json', '"final"', '"first"', 'pooling: name: wanted'],
    ['config.json', '"whitespace"', '"letters"', 'tokenizer: name: wanted'],
    ['model.safetensors', 'classifier.bias', 'classifier.BIAS', 'loadStateDict: classifier.BIAS: wanted'],
  ])('%s with an unknown %s is rejected by name', async (name, from, to, reason) => {
    const directory = mkdtempSync(join(folder, 'run-'))
    const model: Classifier = shortClassifier('lstm64-adam', { on: cpu })
    const rest = { dialect: 'csv', posts: null, tokenizer: 'whitespace', vocabulary, labels } as const
    await saveRun({ preset: 'lstm64-adam', model, ...rest }, directory)
    const file = join(directory, name)
    const content = await readFile(file, 'latin1')
    await writeFile(file, content.replace(from, to), 'latin1')
    await expect(loadRun(directory, { device: cpu })).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringContaining(`${file}: ${reason}`),
    })
  })
})
