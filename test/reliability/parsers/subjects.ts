import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Trainer } from '../../../src/compat/training.js'
import { device } from '../../../src/device.js'
import { fastaiLanguageModel, readPickle, readTorch } from '../../../src/formats/index.js'
import { readSafetensors, writeSafetensors } from '../../../src/formats/safetensors.js'
import { writeSealed } from '../../../src/formats/sealed.js'
import { contentOf } from '../../../src/formats/torch.js'
import { Classifier } from '../../../src/models/classifier.js'
import { presets } from '../../../src/models/presets.js'
import { Generator } from '../../../src/random.js'
import { readRunRecords } from '../../../src/tasks/classificationResults.js'
import { loadRun } from '../../../src/tasks/classifierRun.js'
import { readArticles } from '../../../src/text/gnad.js'
import { readPosts } from '../../../src/text/omp.js'
import { readWordVectors } from '../../../src/text/vectors.js'
import { loadCheckpoint } from '../../../src/training/checkpoint.js'
import { fastaiFile } from '../../reference/fastaiFiles.js'
import {
  dict,
  int,
  list,
  little,
  NONE,
  named,
  persistent,
  pickle,
  storage,
  tar,
  tensor,
  text,
  tuple,
  zip,
} from '../../reference/pickle.js'
import { many } from '../length.js'

/** A parser, a good file for it, and the good files beside it. */
export interface Subject {
  /** How many of a thousand inputs are its. */
  share: number
  file: string
  content: Buffer
  beside?: Record<string, Buffer>
  /** Whether it is read from memory alone. */
  inMemory?: true
  read(folder: string, content: Buffer): unknown
}

const ARTICLES = "Sport;Ein Satz.\r\nWeb;'Zwei; \nSätze ''hier'''\r\nSport;drei\nWeb;\r\n"
const POSTS = `category,value,fold,headline,body
Off,1,3,"Ein ""Wort""",mehr
Off,0,10,,"zwei
Zeilen"
Neg,,1,nichts,
`
const VECTORS = '3 4\nder 0.25 -1 1e-3 +.5\ndie 1 2 3 4\näö 5. 6 7 8\n'
const BINARY = Buffer.concat([
  Buffer.from('2 3\n'),
  ...['der', 'die'].flatMap(word => [
    Buffer.from(`${word} `),
    Buffer.from(Float32Array.of(0.5, -2, 3e-3).buffer),
    Buffer.from('\n'),
  ]),
])

const tensors = [
  { name: 'a', dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  { name: 'b', dtype: 'int32', shape: [2], data: Int32Array.of(-1, 7) },
  { name: 'c', dtype: 'float32', shape: [], data: Float32Array.of(0.5) },
] as const
const SAFETENSORS = Buffer.from(writeSafetensors(tensors, { format: 'pt' }))

/** PyTorch's files, from memory; a million of them in the long form. */
const torchSubject = (file: string, content: Buffer): Subject => {
  return {
    share: many(60, 250),
    file,
    content,
    inMemory: true,
    read: (_, mutated) => readTorch(mutated, file),
  }
}
const view = tensor(storage('FloatStorage', 'key', 6), 1, [2, 2], [2, 1])
const state = dict({
  model: dict({ weight: view, tied: view }),
  step: int(3),
  shape: list(int(2), NONE),
  name: text('ä'),
})
const numbers = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)
const MAGIC = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex')
const LEGACY = Buffer.concat([
  ...[MAGIC, int(1001), dict({}), state, list(text('key'))].map(pickle),
  ...[little(6, 8), numbers],
])
const KEY = text('7')
const VIEW = [2n + (12345n << 40n), 2, 3, 3, 1, 0].map(n => little(n, 8))
const TAR = tar({
  sys_info: pickle(dict({})),
  storages: Buffer.concat([
    ...[int(1), tuple(text('a'), text('cpu'), named('torch', 'FloatStorage'))].map(pickle),
    ...[little(6, 8), numbers, pickle(list())],
  ]),
  tensors: Buffer.concat([
    ...[int(1), tuple(KEY, text('a'), named('torch', 'FloatTensor'))].map(pickle),
    ...VIEW,
  ]),
  pickle: pickle(dict({ weight: persistent(KEY) })),
})
function withSpare(bytes: Buffer): Buffer {
  const all = Buffer.alloc(bytes.length + 4)
  bytes.copy(all)
  return all.subarray(0, bytes.length)
}
const torchFiles: Record<string, Subject> = {
  legacy: torchSubject('legacy.pt', LEGACY),
  own: {
    ...torchSubject('own.pt', LEGACY),
    // As readTorchFile does with its own copy, which has room to move the numbers.
    read: (_, mutated) => contentOf(withSpare(mutated), 'own.pt', true),
  },
  tar: torchSubject('tar.pt', TAR),
  zip: torchSubject('zip.pt', zip({ 'a/data.pkl': pickle(state), 'a/data/key': numbers })),
  fastai: {
    ...torchSubject(
      'f.h5',
      fastaiFile({ words: 2, embedding: 1, hidden: 2, layers: 2, version: 1, prefix: '0.' }),
    ),
    read: (_, mutated) => fastaiLanguageModel(readTorch(mutated, 'f.h5').tensors, 'f.h5'),
  },
  pickle: {
    ...torchSubject(
      'itos.pkl',
      pickle(list(...['der', 'die', 'ä'].map(text), tuple(int(1), dict({ a: NONE })))),
    ),
    read: (_, mutated) => readPickle(mutated, 'itos.pkl'),
  },
}

const gradNorm = { mean: 1.5, largest: null }
const EPOCH = {
  epoch: 1,
  steps: 3,
  loss: null,
  accuracy: 0.5,
  gradNorm,
  learningRate: 0.01,
  test: { loss: 1, accuracy: 0.2 },
  seconds: 1,
  tokensPerSecond: 9,
}
const RESULTS = {
  format: 'packed-rnn results 1',
  preset: 'lstm64-adam',
  settings: { seed: 1, train: 'a.csv', limit: null, 'drop-last': false },
  machine: { cpu: 'any', cores: 2 },
  classes: ['Sport', 'Web'],
  vocabularySize: 3,
  lengths: { training: [1, 2], test: [3] },
  seconds: 2,
  test: { loss: 0.5, truth: [0, 1], predicted: [1, 1] },
  mistakes: [{ document: 0, text: 'Ein Satz.', truth: 'Sport', predicted: 'Web', probability: 0.9 }],
}
const CONFIG = {
  format: 'packed-rnn run 1',
  preset: 'lstm64-adam',
  dialect: 'csv',
  posts: null,
  tokenizer: 'words',
  padding: 'shared',
  pooling: 'final',
  embeddingDim: 2,
  classes: ['Sport', 'Web'],
  words: ['ein', 'satz'],
}
const json = (value: unknown) => Buffer.from(JSON.stringify(value))

const cpu = device('cpu', { threads: 1, memoryLimit: 2 ** 26 })
/** A small one; what a run's files hold is its state. */
function classifier(): Classifier {
  return new Classifier({
    preset: presets['lstm64-adam'],
    device: cpu,
    generator: new Generator(1),
    vocabularySize: 3,
    classes: 2,
    embeddingDim: 2,
  })
}
const entries = [...(await classifier().stateDict())].map(([name, { shape, data }]) => ({
  name,
  dtype: 'float32' as const,
  shape,
  data,
}))
const MODEL = Buffer.from(writeSafetensors(entries))

/** A checkpoint of a trainer that has not begun, with what one that has would add. */
async function checkpoint(): Promise<Buffer> {
  const trainer = new Trainer(classifier(), presets['lstm64-adam'])
  const { model, optimizer, position, masks, scheduler } = await trainer.state()
  const state = [...model].map(([name, entry]) => ({
    name: `model.${name}`,
    dtype: 'float32' as const,
    ...entry,
  }))
  const said = {
    position: { ...position, history: [EPOCH] },
    masks,
    scheduler,
    carry: null,
    groups: optimizer.groups,
  }
  return Buffer.from(
    writeSealed(state, {
      format: 'packed-rnn checkpoint 4',
      trainer: JSON.stringify(said),
      about: JSON.stringify({ args: ['--seed', '1'] }),
    }),
  )
}

const own = new Trainer(classifier(), presets['lstm64-adam'])

export const subjects: Record<string, Subject> = {
  safetensors: {
    share: 600,
    inMemory: true,
    file: 'a.safetensors',
    content: SAFETENSORS,
    read: (_, content) => readSafetensors(content, 'a.safetensors'),
  },
  ...torchFiles,
  articles: {
    share: 60,
    file: 'a.csv',
    content: Buffer.from(ARTICLES),
    read: folder => readArticles(join(folder, 'a.csv')),
  },
  notebook: {
    share: 20,
    file: 'n.csv',
    content: Buffer.from("Sport;Ein 'Satz'; zwei.\r\nWeb;drei\n"),
    read: folder => readArticles(join(folder, 'n.csv'), { dialect: 'notebook' }),
  },
  packedArticles: {
    share: 20,
    file: 'a.csv.gz',
    content: gzipSync(ARTICLES),
    read: folder => readArticles(join(folder, 'a.csv.gz')),
  },
  posts: {
    share: 60,
    file: 'p.csv',
    content: Buffer.from(POSTS),
    read: folder => readPosts(join(folder, 'p.csv')),
  },
  vectors: {
    share: 70,
    file: 'v.txt',
    content: Buffer.from(VECTORS),
    read: folder => readWordVectors(join(folder, 'v.txt')),
  },
  headless: {
    share: 20,
    file: 'h.txt',
    content: Buffer.from(VECTORS.slice(4)),
    read: folder => readWordVectors(join(folder, 'h.txt'), { noHeader: true, limit: 2 }),
  },
  binary: {
    share: 50,
    file: 'v.bin',
    content: BINARY,
    read: folder => readWordVectors(join(folder, 'v.bin')),
  },
  packedVectors: {
    share: 20,
    file: 'v.gz',
    content: gzipSync(VECTORS),
    read: folder => readWordVectors(join(folder, 'v.gz'), { keep: new Set(['die']) }),
  },
  checkpoint: {
    share: 20,
    file: 'checkpoint.safetensors',
    content: await checkpoint(),
    // With a checksum that fits: else nothing behind it would be reached.
    async read(folder, content) {
      const file = join(folder, 'checkpoint.safetensors')
      const { tensors, metadata } = readSafetensors(content, file)
      const { sha256: _, ...said } = metadata
      const entries = [...tensors].map(([name, tensor]) => ({ name, ...tensor }))
      writeFileSync(file, writeSealed(entries, said))
      const { state } = await loadCheckpoint(folder)
      own.restore(state)
    },
  },
  metrics: {
    share: 20,
    file: 'metrics.jsonl',
    content: Buffer.from(`${JSON.stringify(EPOCH)}\n${JSON.stringify({ ...EPOCH, epoch: 2 })}\n`),
    beside: { 'results.json': json(RESULTS) },
    read: readRunRecords,
  },
  results: {
    share: 20,
    file: 'results.json',
    content: json(RESULTS),
    beside: { 'metrics.jsonl': Buffer.from(`${JSON.stringify(EPOCH)}\n`) },
    read: readRunRecords,
  },
  config: {
    share: 10,
    file: 'config.json',
    content: json(CONFIG),
    beside: { 'model.safetensors': MODEL },
    read: async folder => (await loadRun(folder, { device: cpu })).model.dispose(),
  },
  model: {
    share: 10,
    file: 'model.safetensors',
    content: MODEL,
    beside: { 'config.json': json(CONFIG) },
    read: async folder => (await loadRun(folder, { device: cpu })).model.dispose(),
  },
}
