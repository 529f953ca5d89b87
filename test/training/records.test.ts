import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { type RunResults, readRunRecords } from '../../src/tasks/classificationResults.js'
import type { EpochRecord } from '../../src/training/record.js'
import { readRecords, taskOfResults, writeEpochs, writeResults } from '../../src/training/records.js'

const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-records-'))
afterAll(() => rm(folder, { recursive: true }))

const record = (epoch: number, changes: Partial<EpochRecord> = {}): EpochRecord => ({
  ...{ epoch, steps: 3 * epoch, metrics: { loss: 1 / epoch, accuracy: 0.5 } },
  ...{ loss: 1 / epoch, accuracy: 0.5, gradNorm: { mean: 1, largest: 2 } },
  ...{ learningRate: 0.1, test: { loss: 1.5, accuracy: 0.25 }, seconds: 1.5, tokensPerSecond: 1000 },
  ...changes,
})

const common = {
  settings: { epochs: 2, quiet: false, out: 'here', vectors: null },
  machine: { cores: 2, cpu: 'some' },
  seconds: 3,
}

const own = {
  preset: 'lstm64-adam' as const,
  classes: ['Web', 'Sport'],
  vocabularySize: 7,
  lengths: { training: [3, 0, 2], test: [1] },
  test: { loss: 0.5, truth: [0], predicted: [1] },
  mistakes: [{ document: 0, text: 'a b', truth: 'Web', predicted: 'Sport', probability: 0.75 }],
}

const results: RunResults = {
  ...{ format: 'packed-rnn results 2', task: 'classification', ...common, clip: 1 },
  ...{ metrics: { loss: 0.5, accuracy: 0 }, ...own },
}

const write = (name: string, text: string) => writeFile(join(folder, name), text)
const lines = (...records: object[]) => records.map(line => `${JSON.stringify(line)}\n`).join('')

beforeEach(async () => {
  await write('metrics.jsonl', lines(record(1), record(2, { test: null })))
  await writeResults(folder, results)
})

test('reads what was written', async () => {
  expect(await readRunRecords(folder)).toEqual({ epochs: [record(1), record(2, { test: null })], results })
})

test('reads results of the format before, always of a classifier', async () => {
  const before = { format: 'packed-rnn results 1', ...common, ...own }
  await write('results.json', lines(before))
  expect(await taskOfResults(folder)).toBe('classification')
  expect((await readRunRecords(folder)).results).toEqual(results)
  await write('results.json', lines({ ...before, lengths: {} }))
  await expect(readRunRecords(folder)).rejects.toThrow(/results\.json: wanted .* in lengths\.training/)
})

test('reads what every run has, and of the rest what the task asks for', async () => {
  const task = { task: 'sums', metrics: { loss: 2, digits: 5 }, clip: null }
  await writeResults(folder, { ...results, ...task, largest: 9 })
  expect(await taskOfResults(folder)).toBe('sums')
  const kind = { task: 'sums', schema: v.object({ largest: v.number() }) }
  const read = await readRecords(folder, kind)
  expect(read.results).toEqual({ format: 'packed-rnn results 2', ...common, ...task, largest: 9 })
  expect(read.epochs).toHaveLength(2)
  await expect(readRunRecords(folder)).rejects.toThrow(
    /results\.json: wanted results of classification, got sums/,
  )
  await writeResults(folder, { ...results, ...task, largest: 'x' })
  await expect(readRecords(folder, kind)).rejects.toThrow(/results\.json: wanted .* in largest, got "x"/)
})

test('reads the lines of earlier versions, which had two metrics', async () => {
  const before = [record(1), record(2, { test: null })].map(({ metrics: _, ...line }) => line)
  await write('metrics.jsonl', lines(...before))
  expect((await readRunRecords(folder)).epochs).toEqual([record(1), record(2, { test: null })])
})

test('writes metrics by name, of any task, and nothing twice', async () => {
  const metrics = { loss: 2, perplexity: 8 }
  const epoch = { ...record(1), metrics, test: metrics, loss: 2, accuracy: Number.NaN }
  await writeEpochs(folder, [epoch])
  expect((await readRunRecords(folder)).epochs).toEqual([epoch])
  const { loss: _, accuracy: __, ...line } = epoch
  expect(await readFile(join(folder, 'metrics.jsonl'), 'utf8')).toBe(lines(line))
})

test('numbers that JSON does not have come back as NaN', async () => {
  const metrics = { loss: Number.NaN, accuracy: 0.5 }
  const diverged = record(1, { metrics, gradNorm: { mean: Number.NaN, largest: Infinity } })
  await write('metrics.jsonl', lines(diverged))
  await writeResults(folder, { ...results, test: { ...results.test, loss: Number.NaN } })
  const read = await readRunRecords(folder)
  expect(read.epochs[0]).toMatchObject({
    metrics,
    loss: Number.NaN,
    gradNorm: { mean: Number.NaN, largest: Number.NaN },
  })
  expect(read.results.test.loss).toBeNaN()
})

test.each<[string, string, string, RegExp]>([
  [
    'a torn line',
    'metrics.jsonl',
    lines(record(1), record(2)).slice(0, -5),
    /metrics\.jsonl:2: wanted a line end/,
  ],
  ['another text', 'metrics.jsonl', 'epoch 1\n', /metrics\.jsonl:1: wanted JSON/],
  ['a missing line', 'metrics.jsonl', lines(record(1), record(3)), /metrics\.jsonl:2: wanted epoch 2, got 3/],
  [
    'a text for a number',
    'metrics.jsonl',
    lines(record(1), { ...record(2), gradNorm: { mean: 'x', largest: 1 } }),
    /metrics\.jsonl:2: wanted .*number.* in gradNorm\.mean, got "x"/,
  ],
  [
    'no field',
    'results.json',
    lines({ ...results, lengths: {} }),
    /results\.json: wanted .* in lengths\.training/,
  ],
  [
    'another format',
    'results.json',
    lines({ ...results, format: 'x' }),
    /results\.json: wanted .* in format, got "x"/,
  ],
  [
    'a preset that is none',
    'results.json',
    lines({ ...results, preset: 'p9' }),
    /lstm64-sgd.* in preset, got "p9"/,
  ],
  [
    'fewer predictions',
    'results.json',
    lines({ ...results, test: { ...results.test, predicted: [] } }),
    /results\.json: wanted as many predicted as truth in test/,
  ],
])('%s is reported with its place', async (_, name, text, message) => {
  await write(name, text)
  await expect(readRunRecords(folder)).rejects.toThrow(message)
  await expect(readRunRecords(folder)).rejects.toMatchObject({ code: 'ERR_FILE_FORMAT' })
})

test('a run that is not over has no results', async () => {
  await rm(join(folder, 'results.json'))
  await expect(readRunRecords(folder)).rejects.toThrow(/results\.json: ENOENT/)
})
