import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { noGrad } from '../../../src/autograd.js'
import {
  Classifier,
  type EpochRecord,
  type RunResults,
  readRunRecords,
} from '../../../src/compat/training.js'
import {
  type Connectivity,
  connectivities,
  connectivity,
  decidingWords,
  memorisationPage,
  prefixes,
  type Reader,
  type Reading,
  readerOf,
  readingOf,
} from '../../../src/explain/index.js'
import { packedRows } from '../../../src/ops/rows.js'
import { PackedIds, packSequence } from '../../../src/packed.js'
import { Generator } from '../../../src/random.js'
import { writeComparison, writeReport } from '../../../src/reports/index.js'
import { scope } from '../../../src/scope.js'
import { recordOf } from '../../../src/training/record.js'
import { writeEpochs, writeResults } from '../../../src/training/records.js'
import { inventRun } from '../../reports/invented.js'
import { directoryOf, fileOf, runOf } from './fileCalls.js'
import type { Call } from './opCalls.js'
import { textOf } from './textCalls.js'
import { CLASSES, classifierOf, labelled, signalOf, WORDS } from './trainingCalls.js'
import { expectSame, ROOMY, untyped, type World } from './world.js'

/** What predictions depend on, and the pages. */

function connected(world: World): void {
  const { hostile } = world
  const model = classifierOf(world)
  if (model === null) return
  const { documents } = labelled(world)
  const options = {
    ...(hostile.once(3) && { maxTokens: hostile.number(1 + hostile.below(6)) }),
    ...signalOf(world),
  }
  world.attemptLater(
    'explain.connectivities',
    () => connectivities(model, documents, options),
    found => {
      const sizes = found.map(({ strengths }) => strengths.length)
      expectSame(
        'connectivities: strengths',
        sizes,
        documents.map(({ length }) => length),
      )
      for (const { probabilities, predicted } of found) {
        const sum = probabilities.reduce((total, p) => total + p, 0)
        if (
          !Number.isNaN(sum) &&
          !(Math.abs(sum - 1) < 1e-5 && probabilities[predicted]! >= 1 / probabilities.length - 1e-6)
        )
          throw new Error(`connectivities: probabilities ${probabilities}, predicted ${predicted}`)
      }
    },
  )
  const ids = documents[0] ?? new Int32Array(0)
  const ends = world.attempt('explain.prefixes', () => prefixes(ids))
  if (ends !== null)
    expectSame(
      'prefixes',
      ends.map(({ length }) => length),
      [...ids.keys()].map(t => t + 1),
    )
  world.attemptLater('explain.connectivity', () =>
    connectivity(model, ids, hostile.number(hostile.below(5)), options),
  )
}

/** Strengths beside finite differences of the predicted class's logit. */
function strengths(world: World): void {
  const { hostile } = world
  const model = new Classifier({
    ...{
      device: ROOMY,
      generator: new Generator(hostile.below(100)),
      pooling: hostile.oneOf(['final', 'mean'] as const),
    },
    ...{ vocabularySize: WORDS, classes: CLASSES, embeddingDim: 2 },
    preset: {
      hiddenSize: 1 + hostile.below(4),
      numLayers: 1 + hostile.below(2),
      bidirectional: hostile.once(2),
      dropout: 0.5,
      tuneEmbedding: true,
    },
  })
  const ids = Int32Array.from({ length: 1 + hostile.below(4) }, () => hostile.below(WORDS))
  const step = 0.02
  const run = async () => {
    const found = await world.answer('explain.connectivity', () => connectivity(model, ids, ids.length - 1))
    if (found === null) throw new Error('connectivity: rejected a valid text')
    model.eval()
    const slopes = await scope(() =>
      noGrad(async () => {
        const rows = await packedRows(model.embedding.forward(new PackedIds([ids]))).toArray()
        const moved = [...rows.keys()].flatMap(n =>
          [step, -step].map(by => rows.map((x, at) => (at === n ? x + by : x))),
        )
        const logits = await model.logits(packSequence(moved, { inputSize: 2, device: ROOMY })).toArray()
        const logit = (n: number) => logits[n * CLASSES + found.predicted]!
        return Array.from(rows, (_, n) => (logit(2 * n) - logit(2 * n + 1)) / (2 * step))
      }),
    )
    for (const [t, got] of found.strengths.entries()) {
      const wanted = Math.hypot(slopes[2 * t]!, slopes[2 * t + 1]!)
      if (!(Math.abs(got - wanted) <= 2e-3))
        throw new Error(`connectivity: strengths[${t}]: wanted ${wanted}, got ${got}`)
    }
  }
  world.later(() => run().finally(() => model.dispose()))
}

function deciding(world: World): void {
  const { hostile } = world
  const tokens = Array.from({ length: hostile.below(6) }, () => hostile.oneOf(['a', 'b', '__proto__']))
  const given = Float32Array.from({ length: hostile.once(9) ? 2 : tokens.length }, () => hostile.below(4))
  const count = hostile.number(hostile.below(4))
  const words = world.attempt('explain.decidingWords', () => decidingWords(tokens, given, count))
  if (words === null) return
  const total = given.reduce((sum, strength) => sum + strength, 0)
  expectSame('decidingWords: words', words.length, Math.min(count + 0, new Set(tokens).size))
  for (const { word, share } of words) {
    const wanted = given.reduce((sum, strength, t) => sum + (tokens[t] === word ? strength : 0), 0)
    if (Math.abs(share - wanted / (total || 1)) > 1e-6) throw new Error(`decidingWords: ${word}: ${share}`)
  }
}

/** A reader of a run, or one that does not keep to what a reader is. */
function readerFrom(world: World, run: Reader): Reader {
  const { hostile } = world
  const wrong: Partial<Reader>[] = [
    { classes: [] },
    { encode: () => new Int32Array(1) },
    { tokenize: () => ['', 'x'] },
    { model: untyped(world.anything()) },
  ]
  return hostile.once(5) ? { ...run, ...hostile.oneOf(wrong) } : run
}

/** A text is read, and stands on a page with others. */
function page(world: World): void {
  const { hostile } = world
  const run = runOf(world)
  if (run === null) return
  const made = world.attempt('explain.readerOf', () => readerOf('<one>', run))
  if (made === null) {
    run.model.dispose()
    return
  }
  const reader = readerFrom(world, made)
  const [text, positions, words] = [
    textOf(world),
    hostile.number(1 + hostile.below(9)),
    hostile.number(hostile.below(4)),
  ]
  const signal = signalOf(world)
  const readings: Reading[] = []
  const read = async () => {
    const one = await world.answer('explain.readingOf', () =>
      readingOf(reader, text, { positions, ...signal }),
    )
    if (one !== null) {
      readings.push(one)
      expectSame(
        'readingOf: tokens',
        one.tokens.map((token, t) => text.startsWith(token, one.starts[t])),
        one.tokens.map(() => true),
      )
      expectSame(
        'readingOf: predictions',
        one.predictions.length,
        Math.min(positions, one.tokens.length - 1) + 1,
      )
      if (hostile.once(9))
        readings.push(
          hostile.oneOf([
            { ...one, predictions: [] },
            { ...one, starts: [] },
            { ...one, classes: [] },
            {
              ...one,
              predictions: [
                { ...one.predictions[0]!, strengths: new Float32Array(0) } satisfies Connectivity,
              ],
            },
          ]),
        )
    }
    const html = await world.answer('explain.memorisationPage', () => memorisationPage(readings, { words }))
    if (html !== null)
      expectSame(
        'memorisationPage: readings',
        html.split('<section id="reading-').length - 1,
        readings.length,
      )
  }
  world.later(() => read().finally(() => run.model.dispose()))
}

function recordsOf(world: World): { epochs: EpochRecord[]; results: RunResults } {
  const { hostile } = world
  const { epochs, results } = inventRun({
    ...{ epochs: hostile.below(3), training: hostile.below(4), seed: hostile.below(9) },
    test: hostile.once(3) ? {} : { a: hostile.below(4), '<b>': hostile.below(4) },
  })
  for (const epoch of epochs) {
    epoch.loss = hostile.number(epoch.loss)
    epoch.seconds = hostile.once(9) ? 0 : epoch.seconds
    epoch.gradNorm.largest = hostile.number(1)
    if (hostile.once(3)) epoch.test = null
  }
  results.test.loss = hostile.number(0.5)
  if (hostile.once(15)) results.test.predicted = results.test.predicted.map(() => hostile.number(5))
  const records = epochs.map(({ loss, accuracy, ...line }) =>
    recordOf({ ...line, metrics: { loss, accuracy } }),
  )
  const metrics = { loss: results.test.loss, accuracy: hostile.number(0.5) }
  const task = { task: 'classification', clip: hostile.once(3) ? null : 1, metrics }
  return { epochs: records, results: { ...results, format: 'packed-rnn results 2', ...task } }
}

/** JSON has no infinity and no NaN, and no −0. */
const asJson = (value: unknown) =>
  JSON.parse(JSON.stringify(value), (_, part) => (part === null ? Number.NaN : part))

function reports(world: World): void {
  const { hostile } = world
  const directory = directoryOf(world)
  const { epochs, results } = recordsOf(world)
  const run = async () => {
    const written = await world.answer('write', async () => {
      if (!directory.includes('\0')) mkdirSync(directory, { recursive: true })
      await writeEpochs(directory, epochs)
      await writeResults(directory, results)
    })
    const read = await world.answer('training.readRunRecords', () => readRunRecords(directory))
    if (written === null) return
    if (read !== null) expectSame('readRunRecords', asJson(read), asJson({ epochs, results }))
    const page = await world.answer('reports.writeReport', () => writeReport(directory))
    if (page !== null)
      expectSame(
        'writeReport',
        readFileSync(join(directory, 'report.html'), 'utf8').includes('</html>'),
        true,
      )
    const file = fileOf(world, '.html')
    const all = hostile.once(9) ? [] : [directory, ...(hostile.once(4) ? [fileOf(world)] : [])]
    const both = await world.answer('reports.writeComparison', () => writeComparison(all, file))
    if (both !== null) expectSame('writeComparison', readFileSync(file, 'utf8').includes('</html>'), true)
  }
  world.later(run)
}

export const explainCalls: Record<string, Call> = { connected, deciding, strengths }
export const slowExplainCalls: Record<string, Call> = { page, reports }
