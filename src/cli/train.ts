import { writeFile } from 'node:fs/promises'
import { Generator } from '../random.js'
import type { LabelledDocuments } from '../text/batches.js'
import { type Article, readArticles } from '../text/gnad.js'
import { inventArticles } from '../text/invented.js'
import { LabelEncoder } from '../text/labels.js'
import { tokenizers } from '../text/tokenize.js'
import { readWordVectors } from '../text/vectors.js'
import { embeddingTable, Vocabulary } from '../text/vocabulary.js'
import { saveCheckpoint } from '../training/checkpoint.js'
import { Classifier } from '../training/classifier.js'
import { evaluate } from '../training/evaluate.js'
import { classificationMetrics } from '../training/metrics.js'
import { notebookPrinter } from '../training/notebookProgress.js'
import { progressPrinter } from '../training/progress.js'
import { classificationReport } from '../training/report.js'
import { rulesOf } from '../training/rules.js'
import { saveRun } from '../training/run.js'
import { Trainer } from '../training/trainer.js'
import { encodeArticles } from './data.js'
import { openDevice } from './deviceOptions.js'
import { type About, readCommandLine, type TrainOptions } from './trainOptions.js'

export { usage } from './trainOptions.js'

/** Articles invented where none are given. */
const INVENTED = { train: 2000, test: 500 }
const EMBEDDING_DIM = 300

/** Words of a vocabulary from fewer documents than this are unknown ones, so that the row of these learns something. */
const MIN_COUNT = 2

export async function execute(commandLine: string[], signal: AbortSignal): Promise<void> {
  const { options, args, from } = await readCommandLine(commandLine)
  const { name, preset, dialect, tokenizer, seed, pooling } = options
  const device = openDevice(options.device)
  const say = (text: string) => {
    if (!options.quiet) process.stderr.write(`${text}\n`)
  }

  const { training, test } = await readData(options, signal)
  const words = (articles: readonly Article[]) => articles.map(({ text }) => tokenizers[tokenizer](text))
  const generator = new Generator(seed)
  const source = await embeddingOf(options, words(training), words(test), generator, signal, say)
  const labels = LabelEncoder.fit(training.map(({ category }) => category))
  const parts = { dialect, tokenizer, vocabulary: source.vocabulary, labels }
  const trainingData = encodeArticles(parts, training)
  const testData = encodeArticles(parts, test)
  const model = new Classifier({
    preset,
    pooling,
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

  const rules = rulesOf(options.loop, options.mode)
  const trainer = new Trainer(model, { ...preset, rules })
  const { kind, precision } = device
  if (from !== null) {
    const { state, about } = from
    trainer.restore(state)
    say(`${options.out}: goes on after ${state.position.epoch} epochs and ${state.position.step} steps`)
    if (about.kind !== kind || about.precision !== precision) {
      const before = `${about.kind} in ${about.precision}`
      say(`${options.out}: was on ${before} before, so these are not the bits of a run that was not stopped`)
    }
  }
  await runEpochs(trainer, trainingData, options, { args, kind, precision }, signal)
  const { predicted } = await evaluate(model, testData, { signal, dropout: rules.dropsInEvaluation })
  const all = { labels: labels.classes.map((_, i) => i) }
  const metrics = classificationMetrics(testData.labels, predicted, labels.classes, all)
  process.stdout.write(classificationReport(testData.labels, predicted, labels.classes, all))
  if (options.out !== undefined) await saveRun({ preset: name, ...parts, model }, options.out)
  if (options.json !== undefined) {
    const { accuracy, macro, weighted, perClass } = metrics
    const figures = {
      preset: name,
      device: kind,
      deviceName: device.name,
      instructions: device.instructions,
      precision,
      threads: device.threads,
      seed,
      epochs: trainer.history,
      test: { accuracy, macro, weighted, perClass },
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    }
    await writeFile(options.json, `${JSON.stringify(figures, null, 2)}\n`)
  }
}

async function runEpochs(
  trainer: Trainer,
  data: LabelledDocuments,
  options: TrainOptions,
  about: About,
  signal: AbortSignal,
): Promise<void> {
  const { preset, seed, batches, progress: style, quiet, loop, mode, out, checkpoint } = options
  const stream = process.stderr
  const form = loop === 'document' ? 'iteration' : 'epoch'
  const printer =
    style === 'notebook' && !quiet ? notebookPrinter({ stream, form }) : progressPrinter({ stream, quiet })
  const save = async () => {
    if (out !== undefined) await saveCheckpoint(out, await trainer.state(), about)
  }
  const order = { ...batches, ...(rulesOf(loop, mode).shuffles ? { shuffleSeed: seed } : {}) }
  try {
    for await (const progress of trainer.fit(data, { ...order, epochs: preset.epochs, signal })) {
      printer.update(progress)
      const due = checkpoint !== undefined && progress.step % checkpoint === 0
      if (due || progress.step === progress.steps) await save()
    }
  } catch (error) {
    if (signal.aborted && out !== undefined) {
      await save()
      printer.stop()
      stream.write(`packed-rnn: to go on: packed-rnn train --resume ${out}\n`)
    }
    throw error
  } finally {
    printer.stop()
  }
}

async function readData({ data, dialect }: TrainOptions, signal: AbortSignal) {
  if (data === 'invented') {
    return { training: inventArticles(INVENTED.train, 1), test: inventArticles(INVENTED.test, 2) }
  }
  const [training, test] = await Promise.all([
    readArticles(data.train, { dialect, signal }),
    readArticles(data.test, { dialect, signal }),
  ])
  return { training, test }
}

/** Given vectors for the words of all articles that have one; or none, for the words that the training articles share. */
async function embeddingOf(
  { vectors: given, unk, padding }: TrainOptions,
  training: readonly string[][],
  test: readonly string[][],
  generator: Generator,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<{ vocabulary: Vocabulary; table: Float32Array | null; dim: number }> {
  if (given === undefined) {
    const vocabulary = Vocabulary.fromDocuments(training, { minCount: MIN_COUNT, padding })
    return { vocabulary, table: null, dim: EMBEDDING_DIM }
  }
  const { file, ...rows } = given
  const keep = new Set([...training, ...test].flat())
  const vectors = await readWordVectors(file, { ...rows, keep, signal, onWarning: say })
  const vocabulary = Vocabulary.fromWords(vectors.words, { padding })
  const table = embeddingTable(vocabulary, vectors, { unk, seed: generator.bits() })
  return { vocabulary, table, dim: vectors.dim }
}
