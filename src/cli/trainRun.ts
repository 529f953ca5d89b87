import { join } from 'node:path'
import { machineFacts } from '../bench/machine.js'
import type { Device } from '../device.js'
import { writeWhole } from '../files/write.js'
import { Classifier } from '../models/classifier.js'
import { Generator } from '../random.js'
import { writeReport } from '../reports/report.js'
import { documentLoader } from '../tasks/classification.js'
import { classify, surestMistakes } from '../tasks/classify.js'
import { notebookTraining } from '../tasks/notebook.js'
import { rulesOf } from '../tasks/rules.js'
import type { LabelledDocuments } from '../text/batches.js'
import { LabelEncoder } from '../text/labels.js'
import { tokenizers } from '../text/tokenize.js'
import { embeddingTable, Vocabulary } from '../text/vocabulary.js'
import { notebookPrinter } from '../training/notebookProgress.js'
import { progressPrinter } from '../training/progress.js'
import type { EpochRecord, RunResults } from '../training/record.js'
import { writeResults } from '../training/records.js'
import { classificationReport } from '../training/report.js'
import { saveRun } from '../training/run.js'
import { RunLog } from '../training/runLog.js'
import { Trainer } from '../training/trainer.js'
import type { TrainingEvent } from '../training/trainerOptions.js'
import { type Corpus, encodeArticles } from './data.js'
import { openDevice } from './deviceOptions.js'
import { newDirectory } from './directory.js'
import { settingsOf } from './settings.js'
import type { About, Command, TrainOptions } from './trainOptions.js'

/** The file of the classification report, in a run's directory. */
const REPORT = 'report.txt'

const EMBEDDING_DIM = 300

/** Test documents that go through the model at once. */
const TEST_BATCH = 32

/** Words of a vocabulary from fewer documents than this are unknown ones, so that the row of these learns something. */
const MIN_COUNT = 2

/** What all runs of a process share. */
export interface Context {
  device: Device
  signal: AbortSignal
  /** Tells a person, unless that wants to be told nothing. */
  say(text: string): void
  /** The command that goes on with an interrupted run; default that of the run alone. */
  goOn?: string
}

/** What a command line says of them. */
export function contextOf({ device, quiet }: TrainOptions, signal: AbortSignal): Context {
  const say = (text: string) => {
    if (!quiet) process.stderr.write(`${text}\n`)
  }
  return { device: openDevice(device), signal, say }
}

/** What a run leaves, beside its files. */
export interface Outcome {
  directory: string
  epochs: readonly EpochRecord[]
  results: RunResults
  /** The classification report on the test documents. */
  report: string
}

/**
 * Trains one run, from its beginning or from its checkpoint, and writes its directory: config.json, model.safetensors,
 * report.txt, results.json and report.html at the end, a checkpoint and a line of metrics.jsonl after each epoch.
 */
export async function trainRun(corpus: Corpus, command: Command, context: Context): Promise<Outcome> {
  const { options, args, from } = command
  const { device, signal, say } = context
  const { name, preset, source, dialect, tokenizer, seed, pooling } = options
  const directory = options.out ?? (await newDirectory(name))
  const generator = new Generator(seed)
  const words = embeddingOf(corpus, options, generator)
  const labels = LabelEncoder.fit(corpus.training.map(({ category }) => category))
  const posts =
    source.format === 'omp' && source.fold !== undefined
      ? { category: source.category, fold: source.fold }
      : null
  const parts = { preset: name, dialect, posts, tokenizer, vocabulary: words.vocabulary, labels }
  const training = encodeArticles(parts, corpus.training)
  const test = encodeArticles(parts, corpus.test)
  using model = new Classifier({
    preset,
    pooling,
    device,
    generator,
    vocabularySize: words.vocabulary.size,
    classes: labels.classes.length,
    embeddingDim: words.dim,
    ...(words.table === null ? {} : { vectors: words.table }),
  })
  say(
    `${directory}: ${name} on ${device.name}, ${device.instructions}: ${corpus.training.length} documents, ` +
      `${words.vocabulary.size} words, ${preset.epochs} epochs`,
  )

  const rules = rulesOf(options.loop, options.mode)
  const { test: measured, ...how } = notebookTraining(model, preset, rules)
  const trainer = new Trainer({ model, ...how, onNonFinite: options.onNonFinite })
  using _optimizer = how.optimizer
  if (from !== null) {
    const { state, about, passedOver } = from
    trainer.restore(state)
    if (passedOver !== null) {
      process.stderr.write(`packed-rnn: ${passedOver.message}; the checkpoint before it is used\n`)
    }
    say(`${directory}: goes on after ${state.position.epoch} epochs and ${state.position.step} steps`)
    if (about.kind !== device.kind || about.precision !== device.precision) {
      const before = `${about.kind} in ${about.precision}`
      say(`${directory}: was on ${before} before, so these are not the bits of a run that was not stopped`)
    }
  }
  const about: About = { args, kind: device.kind, precision: device.precision }
  const log = new RunLog(directory, trainer, about)
  await log.begin()
  try {
    const { batches, evaluateEvery } = options
    const loader = documentLoader(training, {
      ...batches,
      ...{ batchSize: preset.batchSize, shuffle: rules.shuffles, seed },
    })
    const tests = documentLoader(test, { batchSize: TEST_BATCH })
    const every = { test: { loader: tests, every: evaluateEvery, task: measured } }
    const events = trainer.fit(loader, {
      ...(evaluateEvery > 0 && every),
      epochs: preset.epochs,
      signal,
    })
    await follow(events, log, options)
    const evaluation = await classify(model, test, { signal, dropout: rules.dropsInEvaluation })
    const { classes } = labels
    const results: RunResults = {
      format: 'packed-rnn results 1',
      preset: name,
      settings: settingsOf(options),
      machine: machineOf(device),
      classes: [...classes],
      vocabularySize: words.vocabulary.size,
      lengths: { training: lengthsOf(training), test: lengthsOf(test) },
      seconds: trainer.history.reduce((sum, { seconds }) => sum + seconds, 0),
      test: { loss: evaluation.loss, truth: [...test.labels], predicted: [...evaluation.predicted] },
      mistakes: surestMistakes(evaluation, test.labels, classes, corpus.test),
    }
    const all = { labels: classes.map((_, i) => i) }
    const report = classificationReport(test.labels, evaluation.predicted, classes, all)
    await saveRun({ ...parts, model }, directory)
    await writeWhole(join(directory, REPORT), Buffer.from(report))
    // A directory that has it holds a run that is over; the page is made of what lies there.
    await writeResults(directory, results)
    await writeReport(directory)
    return { directory, epochs: trainer.history, results, report }
  } catch (error) {
    if (signal.aborted) {
      await log.save()
      const { goOn = `packed-rnn train --resume ${directory}` } = context
      process.stderr.write(`packed-rnn: to go on: ${goOn}\n`)
    }
    throw error
  }
}

/** Shows the events of a run, and keeps its log. */
async function follow(
  events: AsyncIterable<TrainingEvent>,
  log: RunLog,
  { progress: style, quiet, loop, checkpoint }: TrainOptions,
): Promise<void> {
  const stream = process.stderr
  const form = loop === 'document' ? 'iteration' : 'epoch'
  const printer =
    style === 'notebook' && !quiet ? notebookPrinter({ stream, form }) : progressPrinter({ stream, quiet })
  try {
    for await (const event of events) {
      const isStep = event.event === 'step'
      if (isStep) printer.update(event)
      if (isStep && event.skipped !== null) {
        stream.write(`packed-rnn: ${event.skipped}; the step is left out\n`)
      }
      const asked = isStep && checkpoint !== undefined && event.step % checkpoint === 0
      if (log.due || asked) await log.save()
    }
  } finally {
    printer.stop()
  }
}

/** The given vectors, or none, for the words that the training documents share. */
function embeddingOf(
  { training, vectors }: Corpus,
  { tokenizer, unk, padding }: TrainOptions,
  generator: Generator,
): { vocabulary: Vocabulary; table: Float32Array | null; dim: number } {
  if (vectors === null) {
    const words = training.map(({ text }) => tokenizers[tokenizer](text))
    const vocabulary = Vocabulary.fromDocuments(words, { minCount: MIN_COUNT, padding })
    return { vocabulary, table: null, dim: EMBEDDING_DIM }
  }
  const vocabulary = Vocabulary.fromWords(vectors.words, { padding })
  const table = embeddingTable(vocabulary, vectors, { unk, seed: generator.bits() })
  return { vocabulary, table, dim: vectors.dim }
}

function machineOf(device: Device): RunResults['machine'] {
  const { kind, name, precision, threads } = device
  const { load: _, ...facts } = machineFacts(device)
  return { device: kind, deviceName: name, precision, ...(threads !== null && { threads }), ...facts }
}

function lengthsOf({ documents }: LabelledDocuments): number[] {
  return documents.map(({ length }) => length)
}
