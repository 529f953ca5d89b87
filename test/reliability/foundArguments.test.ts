import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  Classifier,
  classificationMetrics,
  classificationReport,
  confusionMatrix,
  evaluate,
  notebookPrinter,
  presets,
  type Run,
  rulesOf,
  Trainer,
} from '../../src/compat/training.js'
import { device } from '../../src/device.js'
import {
  connectivities,
  memorisationPage,
  type Reading,
  readerOf,
  readingOf,
} from '../../src/explain/index.js'
import { decidingWords } from '../../src/explain/reading.js'
import {
  Batches,
  embeddingTable,
  inspectArticles,
  inventArticles,
  paddingEfficiency,
  readArticles,
  readWordVectors,
  Vocabulary,
  writeArticles,
} from '../../src/text/index.js'
import { readingOfTokens } from '../explain/readings.js'
import { data, labels, shortClassifier, vocabulary } from '../training/short.js'

/** What the fuzzing of `training`, `text` and `explain` found, each as small as it gets. */

const cpu = device('cpu', { threads: 1 })
const path = (name: string) => join(tmpdir(), 'packed-rnn-none', name)
const untyped = <T>(value: unknown) => value as T

describe('a trainer', () => {
  const preset = { ...presets['lstm64-adam'], batchSize: 8 }
  const make = () => new Trainer(shortClassifier('lstm64-adam', { on: cpu }), preset)
  const ids = [Int32Array.of(1, 2), Int32Array.of(3)]

  // Both waited for the same steps, and counted them twice; what was restored was lost, and the loop never ended.
  test('can run only one fit, and can be restored after it', async () => {
    const trainer = make()
    const [first, second] = [trainer.fit(data, { epochs: 1 }), trainer.fit(data, { epochs: 1 })]
    await first.next()
    const message = expect.stringContaining('wanted no running fit, got one that is running')
    await expect(second.next()).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message })
    const state = await trainer.state()
    expect(() => trainer.restore(state)).toThrow('restore: trainer: wanted no running fit')
    await first.return()
    trainer.restore(state)
    for await (const _ of trainer.fit(data, { epochs: 1 }));
    expect(trainer.history).toHaveLength(1)
  })

  // The second found the mode of the first, and left the model in it.
  test('can be evaluated several times at once, with the same bits', async () => {
    const model = shortClassifier('bilstm128x2-adam', { on: cpu })
    const alone = await evaluate(model, data)
    const short = { documents: ids, labels: Int32Array.of(0, 1) }
    const [, all] = await Promise.all([evaluate(model, short), evaluate(model, data)])
    expect(all.loss).toBe(alone.loss)
    expect(all.probabilities).toEqual(alone.probabilities)
    expect(model.lstm.training).toBe(true)
  })

  test('rejects a label below 0, which cross entropy would ignore', async () => {
    const documents = { documents: ids, labels: Int32Array.of(1, -100) }
    await expect(evaluate(make().model, documents)).rejects.toThrow(
      'Batches: labels[1]: wanted an integer from 0',
    )
    expect(() => new Batches(data, { batchSize: 2 }).epoch(-1)).toThrow('Batches.epoch: number: wanted')
  })

  test('rejects invalid options of itself and of its model', () => {
    const options = { preset, vocabularySize: 5, classes: 2, embeddingDim: 3, device: cpu }
    expect(() => new Classifier({ ...options, vectors: new Float32Array(12) })).toThrow(
      'Classifier: vectors: wanted 15 numbers, got 12',
    )
    expect(() => new Classifier({ ...options, pooling: untyped('all') })).toThrow(
      'Classifier: pooling: wanted',
    )
    expect(() => new Trainer(untyped({}), preset)).toThrow('Trainer: model: wanted a Classifier, got Object')
    expect(() => rulesOf('batched', untyped('exact'))).toThrow('rulesOf: mode: wanted one of fixed, notebook')
  })
})

// Each of these was an error of JavaScript's, or a result that means nothing.
describe('senseless numbers and words', () => {
  const words = Vocabulary.fromWords(['a'])
  const vectors = (dim: number) => ({ words: [], dim, data: new Float32Array(0) })
  const progress = { epoch: 1, epochs: 1, step: 1, steps: 1, stepLoss: 1, loss: 1, skipped: null }
  const { stdout: stream } = process
  test.each([
    [
      () => confusionMatrix([], [], 2 ** 33),
      'confusionMatrix: classes: wanted a positive integer up to 8192',
    ],
    [() => classificationReport([0], [0], ['a'], { digits: 1e9 }), 'classificationReport: digits: wanted'],
    [
      () => classificationMetrics([0], [0], ['a'], { zeroDivision: untyped(2) }),
      'classificationMetrics: zeroDivision: wanted 0 or 1, got 2',
    ],
    [
      () => notebookPrinter({ stream, timeZone: 'Mars' }),
      'notebookPrinter: timeZone: wanted an IANA time zone',
    ],
    [() => notebookPrinter({ stream, form: untyped('step') }), 'notebookPrinter: form: wanted one of'],
    [() => inventArticles(2 ** 53, 1), 'inventArticles: count: wanted a positive integer up to 1000000'],
    [() => inspectArticles([], { nth: -1 }), 'inspectArticles: nth: wanted an integer from 0'],
    [() => paddingEfficiency([3, -1]), 'paddingEfficiency: lengths[1]: wanted an integer from 0'],
    [() => embeddingTable(words, vectors(-1)), 'embeddingTable: vectors.dim: wanted an integer from 0'],
    [() => embeddingTable(words, vectors(1), { unk: untyped('one') }), 'embeddingTable: unk: wanted one of'],
    [
      () => Vocabulary.fromWords([], { padding: untyped('no') }),
      'Vocabulary: padding: wanted one of shared, own',
    ],
  ])('case %#', (call, message) => {
    expect(call).toThrow(message)
  })

  test('times that a clock cannot show', () => {
    let text = ''
    const write = (line: string) => {
      text += line
    }
    const printer = notebookPrinter({ stream: untyped({ write }), timeZone: 'UTC' })
    const never = { elapsedSeconds: Number.NaN, remainingSeconds: Number.NaN }
    printer.update({ ...progress, ...never, tokens: 0, tokensPerSecond: Number.NaN })
    expect(text).toBe('epoch 0 / 1 1.0000 avg epoch --:-- total elapsed --:-- remaining --:--\n')
  })
})

test.each([
  [
    () => writeArticles(path('x'), [], { lineEnd: untyped('\t') }),
    'writeArticles: lineEnd: wanted CRLF or LF',
  ],
  [
    () => readArticles(path('x'), { dialect: untyped('tsv') }),
    'readArticles: dialect: wanted one of csv, notebook',
  ],
  [
    () => readWordVectors(path('x'), { format: untyped('a') }),
    'readWordVectors: format: wanted one of text, binary',
  ],
])('case %#', async (call, message) => {
  await expect(call()).rejects.toThrow(message)
})

describe('connectivity', () => {
  const model = shortClassifier('bilstm128x2-adam', { on: cpu })
  const run: Run = {
    ...{ preset: 'bilstm128x2-adam', dialect: 'csv', posts: null, tokenizer: 'words' },
    ...{ vocabulary, labels, model },
  }
  const reader = readerOf('one', run)

  test('can be computed twice at once, for a model in training mode', async () => {
    const [first, second] = data.documents.slice(0, 2)
    model.train()
    const alone = await connectivities(model, [first!, second!])
    const together = await Promise.all([connectivities(model, [first!]), connectivities(model, [second!])])
    expect(together.flat()).toEqual(alone)
    const asked = connectivities(model, [first!])
    expect(model.lstm.training).toBe(true)
    expect(await asked).toEqual([alone[0]])
  })

  test('rejects another number of ids than tokens, or of classes than logits', async () => {
    await expect(connectivities(untyped(null), [])).rejects.toThrow(
      'connectivities: model: wanted a Module, got null',
    )
    const short = { ...reader, encode: () => new Int32Array(1) }
    await expect(readingOf(short, 'a b')).rejects.toThrow('readingOf: reader.encode: wanted 2 ids, got 1')
    await expect(readingOf({ ...reader, classes: ['x'] }, 'a b')).rejects.toThrow(
      'readingOf: reader.classes: wanted 9, as the model, got 1',
    )
    expect(() => readerOf('x', { ...run, tokenizer: untyped('letters') })).toThrow('tokenizer: name: wanted')
    expect(() => decidingWords(['a'], new Float32Array(1), -1)).toThrow('decidingWords: count: wanted')
  })

  test.each<Partial<Reading>>([{ predictions: [] }, { starts: [0] }, { classes: [] }, { tokens: ['a'] }])(
    'is no page with %o',
    async part => {
      const reading = readingOfTokens(['a', 'b'], part)
      const message = 'memorisationPage: readings[0]: wanted starts, probabilities and strengths of as many'
      await expect(memorisationPage([reading])).rejects.toThrow(message)
      await expect(memorisationPage([readingOfTokens(['a'])], { words: -1 })).rejects.toThrow('words: wanted')
    },
  )
})
