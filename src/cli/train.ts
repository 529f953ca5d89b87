import { writeFile } from 'node:fs/promises'
import { device as openDevice } from '../device.js'
import { Generator } from '../random.js'
import type { Article } from '../text/gnad.js'
import { inventArticles } from '../text/invented.js'
import { LabelEncoder } from '../text/labels.js'
import { tokenizers } from '../text/tokenize.js'
import { readWordVectors } from '../text/vectors.js'
import { embeddingTable, Vocabulary } from '../text/vocabulary.js'
import { Classifier } from '../training/classifier.js'
import { classificationMetrics } from '../training/metrics.js'
import { type Preset, presetName, presets } from '../training/presets.js'
import { progressPrinter } from '../training/progress.js'
import { classificationReport } from '../training/report.js'
import { saveRun, tokenizerName } from '../training/run.js'
import { evaluate, Trainer } from '../training/trainer.js'
import { articlesOf, encodeArticles } from './data.js'
import { integerOption, parse, UsageError } from './options.js'

export const usage = `packed-rnn train [--preset NAME] [--train FILE --test FILE] [--vectors FILE]
                 [--tokenizer whitespace|words] [--epochs N] [--batch-size N] [--device cpu]
                 [--threads N] [--seed N] [--out DIR] [--json FILE] [--quiet]

Trains a classifier of news articles and prints its report on the test articles.

  --preset NAME        ${Object.keys(presets).join(', ')}; default lstm64-adam
  --train, --test      articles in 10kGNAD's format, plain or .gz; without them, invented ones
  --vectors FILE       word vectors in fastText's text format, plain or .gz; without, they start random
                       and are trained
  --tokenizer NAME     whitespace (default), or words: letters and digits apart from punctuation
  --epochs N           default the preset's ${presets['lstm64-adam'].epochs}; on invented articles 10
  --batch-size N       default the preset's ${presets['lstm64-adam'].batchSize}; on invented articles 64
  --device, --threads  default the best device, and all cores
  --seed N             of initial values, order and dropout; default 1
  --out DIR            where to write the model
  --json FILE          where to write the figures
  --quiet              no progress`

const EMBEDDED = { train: 2000, test: 500, epochs: 10, batchSize: 64 }
const EMBEDDING_DIM = 300

/** Words of a vocabulary from fewer documents than this are unknown ones, so that the row of these learns something. */
const MIN_COUNT = 2

export async function train(args: string[], signal: AbortSignal): Promise<void> {
  const { values } = parse(args, {
    preset: { type: 'string', default: 'lstm64-adam' },
    train: { type: 'string' },
    test: { type: 'string' },
    vectors: { type: 'string' },
    tokenizer: { type: 'string', default: 'whitespace' },
    epochs: { type: 'string' },
    'batch-size': { type: 'string' },
    device: { type: 'string' },
    threads: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  })
  if ((values.train === undefined) !== (values.test === undefined)) {
    throw new UsageError('wanted both --train and --test, or neither')
  }
  const name = presetName(values.preset)
  const tokenizer = tokenizerName(values.tokenizer)
  const embedded = values.train === undefined
  const preset: Preset = {
    ...presets[name],
    epochs: integerOption('epochs', values.epochs, embedded ? EMBEDDED.epochs : presets[name].epochs, 1),
    batchSize: integerOption(
      'batch-size',
      values['batch-size'],
      embedded ? EMBEDDED.batchSize : presets[name].batchSize,
      1,
    ),
  }
  const seed = integerOption('seed', values.seed, 1, 0)
  const threads =
    values.threads === undefined ? {} : { threads: integerOption('threads', values.threads, 1, 1) }
  const device = openDevice(values.device, threads)
  const say = (text: string) => {
    if (!values.quiet) process.stderr.write(`${text}\n`)
  }

  const { training, test } = await readData(values.train, values.test, signal)
  const words = (articles: readonly Article[]) => articles.map(({ text }) => tokenizers[tokenizer](text))
  const generator = new Generator(seed)
  const source = await embeddingOf(values.vectors, words(training), words(test), generator, signal, say)
  const labels = LabelEncoder.fit(training.map(({ category }) => category))
  const parts = { tokenizer, vocabulary: source.vocabulary, labels }
  const trainingData = encodeArticles(parts, training)
  const testData = encodeArticles(parts, test)
  const model = new Classifier({
    preset,
    device,
    generator,
    vocabularySize: source.vocabulary.size,
    classes: labels.classes.length,
    embeddingDim: source.dim,
    ...(source.table === null ? {} : { vectors: source.table }),
  })
  say(
    `${name} on ${device.name}, ${device.instructions}: ${training.length} articles, ` +
      `${source.vocabulary.size} words, ${preset.epochs} epochs`,
  )

  const trainer = new Trainer(model, preset)
  const epochs = await runEpochs(trainer, trainingData, { preset, seed, signal, quiet: values.quiet })
  const { predicted } = await evaluate(model, testData, { signal })
  const all = { labels: labels.classes.map((_, i) => i) }
  const metrics = classificationMetrics(testData.labels, predicted, labels.classes, all)
  process.stdout.write(classificationReport(testData.labels, predicted, labels.classes, all))
  if (values.out !== undefined) await saveRun({ preset: name, ...parts, model }, values.out)
  if (values.json !== undefined) {
    const { accuracy, macro, weighted, perClass } = metrics
    const figures = {
      preset: name,
      device: device.kind,
      precision: 'float32',
      threads: device.threads,
      seed,
      epochs,
      test: { accuracy, macro, weighted, perClass },
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    }
    await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`)
  }
}

interface EpochFigures {
  loss: number
  seconds: number
  tokensPerSecond: number
}

async function runEpochs(
  trainer: Trainer,
  data: ReturnType<typeof encodeArticles>,
  options: { preset: Preset; seed: number; signal: AbortSignal; quiet: boolean },
): Promise<EpochFigures[]> {
  const { preset, seed, signal, quiet } = options
  const tokens = data.documents.reduce((sum, document) => sum + document.length, 0)
  const totalSteps = preset.epochs * Math.ceil(data.documents.length / preset.batchSize)
  const printer = progressPrinter({ stream: process.stderr, totalSteps, quiet })
  const epochs: EpochFigures[] = []
  let before = 0
  try {
    for await (const progress of trainer.fit(data, { epochs: preset.epochs, shuffleSeed: seed, signal })) {
      printer.update(progress)
      if (progress.step < progress.steps) continue
      const seconds = progress.elapsedSeconds - before
      before = progress.elapsedSeconds
      epochs.push({ loss: progress.loss, seconds, tokensPerSecond: tokens / seconds })
    }
  } finally {
    printer.stop()
  }
  return epochs
}

async function readData(train: string | undefined, test: string | undefined, signal: AbortSignal) {
  if (train === undefined || test === undefined) {
    return { training: inventArticles(EMBEDDED.train, 1), test: inventArticles(EMBEDDED.test, 2) }
  }
  const [training, testing] = await Promise.all([articlesOf(train, signal), articlesOf(test, signal)])
  return { training, test: testing }
}

/** Given vectors for the words of all articles that have one; or none, for the words that the training articles share. */
async function embeddingOf(
  file: string | undefined,
  training: readonly string[][],
  test: readonly string[][],
  generator: Generator,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<{ vocabulary: Vocabulary; table: Float32Array | null; dim: number }> {
  if (file === undefined) {
    const vocabulary = Vocabulary.fromDocuments(training, { minCount: MIN_COUNT })
    return { vocabulary, table: null, dim: EMBEDDING_DIM }
  }
  const keep = new Set([...training, ...test].flat())
  const vectors = await readWordVectors(file, { keep, signal, onWarning: say })
  const vocabulary = Vocabulary.fromWords(vectors.words)
  const table = embeddingTable(vocabulary, vectors, { unk: 'uniform', seed: generator.bits() })
  return { vocabulary, table, dim: vectors.dim }
}
