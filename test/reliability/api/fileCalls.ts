import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Classifier,
  encode,
  loadCheckpoint,
  loadRun,
  presets,
  type Run,
  saveCheckpoint,
  saveRun,
  Trainer,
} from '../../../src/compat/training.js'
import { device, devices, type Precision } from '../../../src/device.js'
import { readPickle } from '../../../src/formats/pickle.js'
import { type HostTensor, readSafetensors, writeSafetensors } from '../../../src/formats/safetensors.js'
import { loadStateDict, saveStateDict } from '../../../src/formats/stateDict.js'
import { readTorch } from '../../../src/formats/torch.js'
import { Generator } from '../../../src/random.js'
import type { StateEntry } from '../../../src/tensor.js'
import {
  type Dialect,
  LabelEncoder,
  readArticles,
  readPosts,
  readWordVectors,
  tokenizers,
  Vocabulary,
  writeArticles,
} from '../../../src/text/index.js'
import {
  dict,
  int,
  list,
  pickle,
  tensor as pickledTensor,
  storage as storageId,
  text,
  zip,
} from '../../reference/pickle.js'
import type { Call } from './opCalls.js'
import { articlesOf, textOf } from './textCalls.js'
import { classifierOf, labelled, newClassifier, signalOf } from './trainingCalls.js'
import { DEVICES, expectSame, ON_CUDA, ROOMY, untyped, type World } from './world.js'

/** Files and devices. The contents of files are drawn in parsers.test.ts. */

const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-api-'))
process.on('exit', () => rmSync(folder, { recursive: true }))
let files = 0

/** A new name, or now and then one of these. */
function newName(world: World, strange: string[], ending = ''): string {
  return world.hostile.once(30) ? world.hostile.oneOf(strange) : join(folder, `${files++}${ending}`)
}

/** A directory's name, which no other call has, or one that cannot be a directory's. */
export function directoryOf(world: World): string {
  return newName(world, [join(folder, 'a\0b')])
}

/** A file's name, or one that cannot be a file's. */
export function fileOf(world: World, ending = ''): string {
  return newName(world, ['', folder, join(folder, 'none', 'file'), join(folder, 'a\0b')], ending)
}

function bits(state: ReadonlyMap<string, StateEntry>) {
  return new Map(
    [...state].map(([name, { shape, data }]) => [
      name,
      { shape: [...shape], data: new Uint32Array(data.slice().buffer) },
    ]),
  )
}

function safetensors(world: World): void {
  const { hostile } = world
  const entries = Array.from({ length: hostile.below(4) }, (): HostTensor & { name: string } => {
    const shape = hostile.shape()
    const size = shape.reduce((product, n) => product * n, 1)
    const data = hostile.values(hostile.once(30) ? hostile.below(9) : size >= 0 && size < 1e5 ? size : 3)
    const name = hostile.oneOf(['a', 'b', 'c', '1', '__proto__', '__metadata__', '', 'ö\ud800'])
    const dtype = hostile.once(30) ? untyped<'float32'>('float16') : 'float32'
    return hostile.once(3)
      ? { name, dtype: 'int32', shape, data: Int32Array.from(data) }
      : { name, dtype, shape, data }
  })
  const metadata = hostile.once(2) ? { a: textOf(world), __metadata__: 'x' } : {}
  const bytes = world.attempt('writeSafetensors', () => writeSafetensors(entries, metadata))
  if (bytes === null) return
  const read = world.attempt('readSafetensors', () => readSafetensors(bytes, 'a file'))
  const found = read && [...read.tensors].map(([name, each]) => ({ name, ...each, shape: [...each.shape] }))
  const order = (all: { name: string }[] | null) => all?.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  // JSON has no −0, and orders whole numbers first.
  const given = entries.map(each => ({ ...each, shape: each.shape.map(n => n + 0) }))
  expectSame('readSafetensors', [order(found), read?.metadata], [order(given), metadata])
  world.attempt('readSafetensors', () => readSafetensors(bytes.subarray(hostile.below(9)), 'a part'))
}

/** A file of `torch.save`, or one with some bytes changed. */
function torchFiles(world: World): void {
  const { hostile } = world
  const count = 1 + hostile.below(3)
  const weight = pickledTensor(storageId('FloatStorage', '0', count), 0, [count], [1])
  const numbers = Buffer.from(Float32Array.from({ length: count }, (_, i) => i / 2).buffer)
  const bytes = zip({ 'a/data.pkl': pickle(dict({ weight, epoch: int(count) })), 'a/data/0': numbers })
  if (hostile.once(2)) {
    const at = hostile.below(bytes.length)
    bytes[at] = hostile.below(256)
    world.attempt('readTorch', () => readTorch(bytes, 'a file'))
    world.attempt('readPickle', () => readPickle(bytes.subarray(at), 'a file'))
    return
  }
  const read = world.attempt('readTorch', () => readTorch(bytes, 'a file'))
  expectSame('readTorch', [...(read?.values ?? [])], [['epoch', count]])
  const words = world.attempt('readPickle', () => readPickle(pickle(list(text('a'), int(count))), 'a file'))
  expectSame('readPickle', words, ['a', count])
}

function stateDicts(world: World): void {
  const { hostile } = world
  const model = newClassifier(world)
  if (model === null) return
  const [file, strict] = [fileOf(world), !hostile.once(4)]
  const run = async () => {
    await world.answer('saveStateDict', () => saveStateDict(model, file))
    const before = bits(await model.stateDict())
    for (const parameter of model.parameters()) parameter.assign(new Float32Array(parameter.size))
    const loaded = await world.answer('loadStateDict', () => loadStateDict(model, file, { strict }))
    if (loaded !== null) expectSame('loadStateDict', bits(await model.stateDict()), before)
  }
  const other = classifierOf(world)
  world.later(() => run().finally(() => model.dispose()))
  if (other !== null) world.attemptLater('saveStateDict', () => saveStateDict(other, fileOf(world)))
  if (other !== null) world.attemptLater('loadStateDict', () => loadStateDict(other, file, { strict }))
}

/** A trainer's state from the disk has the bits that it had. */
function checkpoint(world: World): void {
  const { hostile } = world
  const model = newClassifier(world)
  if (model === null) return
  const directory = directoryOf(world)
  const about = hostile.once(6)
    ? hostile.oneOf<unknown>([undefined, Number.NaN, 1n, () => 1])
    : hostile.oneOf<unknown>([null, { a: [1, 'x'] }, 'text'])
  const run = async () => {
    const trainer = new Trainer(model, { ...presets['lstm64-adam'], batchSize: 2 })
    try {
      for await (const _ of trainer.fit(labelled(world), { epochs: 1 })) if (hostile.once(3)) break
      const state = await trainer.state()
      const saved = await world.answer('training.saveCheckpoint', () =>
        saveCheckpoint(directory, state, about),
      )
      const found = await world.answer('training.loadCheckpoint', () => loadCheckpoint(directory))
      if (saved === null) return
      if (found === null) throw new Error('loadCheckpoint: rejected what saveCheckpoint wrote')
      const { state: read, about: told, passedOver } = found
      const parts = [read.position, read.masks, bits(read.model), bits(read.optimizer.tensors)]
      expectSame('loadCheckpoint', parts, [
        state.position,
        state.masks,
        bits(state.model),
        bits(state.optimizer.tensors),
      ])
      expectSame('loadCheckpoint: about', [told, passedOver], [JSON.parse(JSON.stringify(about)), null])
      trainer.restore(read)
    } finally {
      trainer.optimizer.dispose()
    }
  }
  world.later(() => run().finally(() => model.dispose()))
  world.attemptLater('training.loadCheckpoint', () =>
    loadCheckpoint(hostile.once(3) ? directory : fileOf(world)),
  )
}

/** A run as `train` makes it, or with parts that do not fit. The caller disposes its model. */
export function runOf(world: World): Run | null {
  const { hostile } = world
  const preset = hostile.once(20) ? 'bilstm128x2-adam' : 'lstm64-adam'
  const vocabulary = Vocabulary.fromWords(['a', 'b', 'c'], { padding: hostile.oneOf(['shared', 'own']) })
  const labels = new LabelEncoder(['x', 'y'])
  return world.attempt('training.Classifier', () => ({
    preset: hostile.once(20) ? untyped('lstm65-adam') : preset,
    dialect: hostile.once(20) ? untyped<Dialect>('tsv') : 'csv',
    posts: hostile.once(4) ? { category: 'x', fold: hostile.number(3) } : null,
    tokenizer: hostile.once(20) ? untyped<'words'>('letters') : hostile.oneOf(['whitespace', 'words']),
    vocabulary,
    labels,
    model: new Classifier({
      ...{ device: ROOMY, generator: new Generator(hostile.below(100)), preset: presets['lstm64-adam'] },
      ...{ embeddingDim: 2, pooling: hostile.oneOf(['final', 'mean'] as const) },
      vocabularySize: hostile.once(20) ? 9 : vocabulary.size,
      classes: hostile.once(20) ? 3 : labels.classes.length,
    }),
  }))
}

/** Whatever `saveRun` writes, `loadRun` reads. */
function runs(world: World): void {
  const { hostile } = world
  const run = runOf(world)
  if (run === null) return
  const directory = directoryOf(world)
  const text = textOf(world)
  const ids = world.attempt('training.encode', () => encode(run, text))
  if (ids !== null) {
    const tokens = tokenizers[run.tokenizer](text)
    expectSame('encode', ids, run.vocabulary.encode(tokens))
  }
  const wrongDevice = hostile.once(20)
  const both = async () => {
    const saved = await world.answer('training.saveRun', () => saveRun(run, directory))
    const read = await world.answer('training.loadRun', () => loadRun(directory, { device: ROOMY }))
    if (saved === null) return
    if (read === null) throw new Error('loadRun: rejected what saveRun wrote')
    const plain = ({ preset, dialect, posts, tokenizer, vocabulary, labels, model }: Run) => {
      return [
        preset,
        dialect,
        posts,
        tokenizer,
        vocabulary.words,
        vocabulary.padding,
        labels.classes,
        model.pooling,
      ]
    }
    expectSame('loadRun', plain(read), plain(run))
    expectSame('loadRun: bits', bits(await read.model.stateDict()), bits(await run.model.stateDict()))
    read.model.dispose()
    if (wrongDevice)
      await world.answer('training.loadRun', () => loadRun(directory, { device: untyped('cpu') }))
  }
  world.later(() => both().finally(() => run.model.dispose()))
  world.attemptLater('training.loadRun', () => loadRun(fileOf(world), { device: ROOMY }))
}

/** Articles come back as they were written. */
function articles(world: World): void {
  const { hostile } = world
  const given = articlesOf(world)
  const file = fileOf(world, hostile.once(3) ? '.csv.gz' : '.csv')
  const lineEnd = hostile.once(20) ? untyped<'\n'>('\t') : hostile.oneOf(['\n', '\r\n'] as const)
  const dialect = hostile.once(20) ? untyped<'csv'>('tsv') : 'csv'
  const signal = signalOf(world)
  world.attemptLater(
    'text.writeArticles',
    () => writeArticles(file, given, { lineEnd }),
    () =>
      world.attemptLater(
        'text.readArticles',
        () => readArticles(file, { dialect, ...signal }),
        read => expectSame('readArticles', read, given),
      ),
  )
  world.attemptLater('text.readArticles', () => readArticles(fileOf(world), { dialect: 'notebook' }))
}

function posts(world: World): void {
  const { hostile } = world
  const [file, signal] = [fileOf(world, '.csv'), signalOf(world)]
  const rows = ['a,1,1,h,b', 'b,0,2,,b', 'a,,3,h,'].filter(() => !hostile.once(4))
  world.attempt('write', () => {
    if (file.endsWith('.csv'))
      writeFileSync(file, ['category,value,fold,headline,body', ...rows, ''].join('\n'))
  })
  const category = hostile.oneOf(['a', 'b', 'c'])
  world.attemptLater(
    'text.readPosts',
    () => readPosts(file, { ...(hostile.once(2) && { category }), ...signal }),
    read => {
      const wanted = rows.filter(row => read.some(each => row.startsWith(`${each.category},`)))
      expectSame('readPosts', read.length, wanted.length)
    },
  )
}

function wordVectors(world: World): void {
  const { hostile } = world
  const [file, signal] = [fileOf(world, '.vec'), signalOf(world)]
  const noHeader = hostile.once(3)
  const rows = ['a 1 2', 'b 3 4', 'c 5 6', 'a 7 8']
  if (file.endsWith('.vec')) writeFileSync(file, [...(noHeader ? [] : ['4 2']), ...rows, ''].join('\n'))
  const limit = hostile.number(1 + hostile.below(5))
  const keep = hostile.once(2) ? new Set(['a', 'c', 'x']) : undefined
  const format = hostile.once(9) ? untyped<'text'>(hostile.oneOf(['binary', 'json'])) : 'text'
  const options = { limit, noHeader, format, ...(keep && { keep }), ...signal }
  world.attemptLater(
    'text.readWordVectors',
    () => readWordVectors(file, options),
    ({ words, dim, data }) => {
      if (format !== 'text') return // the text's bytes, as numbers
      const wanted = ['a', 'b', 'c'].slice(0, limit).filter(word => keep?.has(word) ?? true)
      expectSame('readWordVectors', [words, dim], [wanted, 2])
      const values = { a: [1, 2], b: [3, 4], c: [5, 6] }
      expectSame(
        'readWordVectors: rows',
        [...data],
        wanted.flatMap(word => values[word as 'a' | 'b' | 'c']),
      )
    },
  )
}

/** Of few devices: each that opens stays. */
function openDevice(world: World): void {
  const { hostile } = world
  const strange = hostile.once(4)
  const kind = !strange
    ? 'cpu'
    : hostile.oneOf([undefined, 'cpu', 'cpu', 'cpu', 'tpu', '', 'cpu:0', 'cuda:99', 'cuda:-1', 'cuda:99999'])
  const wrong = [0, -1, 0.5, Number.NaN, 257, 2 ** 31, Infinity]
  const options = {
    threads: hostile.once(8) ? hostile.oneOf(wrong) : hostile.oneOf([1, 2]),
    memoryLimit: hostile.once(8) ? hostile.oneOf([-1, 0.5, Number.NaN, Infinity, 2 ** 53]) : 2 ** 27,
    ...(hostile.once(3) && { precision: hostile.once(4) ? untyped<Precision>('int8') : 'float32' }),
    ...(hostile.once(9) && { path: hostile.once(2) ? untyped<'auto'>('short') : ('stepwise' as const) }),
  }
  const opened = world.attempt('device', () => device(kind, options))
  if (opened?.kind === 'cpu' && !ON_CUDA) expectSame('device', DEVICES.includes(opened), true)
  const listed = world.attempt('devices', () => devices())
  if (listed !== null)
    expectSame(
      'devices',
      listed.some(each => each.kind === 'cpu' && each.code === null),
      true,
    )
}

export const fileCalls: Record<string, Call> = { safetensors, openDevice }
export const slowFileCalls: Record<string, Call> = {
  stateDicts,
  torchFiles,
  checkpoint,
  runs,
  articles,
  posts,
  wordVectors,
}
