import { classifiedRun } from '../reports/classifiedRun.js'
import { classificationMetrics } from '../tasks/classificationMetrics.js'
import { classificationReport } from '../tasks/classificationReport.js'
import type { ClassifierResults } from '../tasks/classificationResults.js'
import { CLASSIFICATION, loadRun, type Run } from '../tasks/classifierRun.js'
import { classify } from '../tasks/classify.js'
import { type Article, readArticles } from '../text/gnad.js'
import { predictCategories, predictTable, predictUsage } from './categories.js'
import { trainClassifier } from './classifierJob.js'
import type { Resumed } from './commandLine.js'
import { comparisonText } from './compareReport.js'
import { crossValidate } from './crossValidation.js'
import { encodeArticles, readTexts, readVectors, type Texts } from './data.js'
import { deviceChoice, openDevice } from './deviceOptions.js'
import { writeJson } from './jsonFile.js'
import { entry, fileOption, onePositional, parse, UsageError, usageOf } from './options.js'
import { heldOut, readLabelledPosts } from './posts.js'
import { trainTable } from './runOptions.js'
import { type CliTask, evaluateOptions } from './taskOptions.js'
import { readTrain, trainUsage } from './trainOptions.js'
import { contextOf, type Outcome } from './trainRun.js'

/** The options of `evaluate`. */
const evaluateTable = {
  test: fileOption('the articles or posts, in the format that the run was trained on; required'),
  ...evaluateOptions,
} as const

const evaluateUsage = `packed-rnn evaluate RUN --test FILE [--json FILE] [OPTION …]

Prints the report of a trained model. A classifier of articles is tested on articles in 10kGNAD's format, plain
or .gz, read in the dialect that it was trained on; a model of posts on those of its category in the fold that
it was not trained on. The task is the run's.

${entry('RUN', 'a directory that train wrote')}
${usageOf(evaluateTable)}`

/** The classification of articles and of posts. */
export const classification: CliTask = {
  name: CLASSIFICATION,
  options: { train: trainTable, evaluate: evaluateTable, predict: predictTable },
  usage: { train: trainUsage, evaluate: evaluateUsage, predict: predictUsage },
  train,
  evaluate,
  predict: predictCategories,
  comparison: async directories => comparisonText(await Promise.all(directories.map(classifiedRun))),
}

async function train(args: string[], resumed: Resumed | null, signal: AbortSignal): Promise<void> {
  const command = readTrain(args, resumed)
  const { options } = command
  const { source, json } = options
  const context = contextOf(options, signal)
  let texts: Texts
  if (source.format !== 'omp') texts = await readTexts(source, options, signal)
  else if (source.fold === undefined) return crossValidate(source, command, context)
  else {
    const labelled = await readLabelledPosts(source.train, source.category, signal)
    context.say(labelled.about)
    texts = heldOut(labelled, source.fold)
  }
  const vectors = await readVectors(options, [...texts.training, ...texts.test], signal, context.say)
  const outcome = await trainClassifier({ ...texts, vectors }, command, context)
  process.stdout.write(outcome.report)
  if (json !== undefined) await writeFigures(json, outcome)
}

async function writeFigures(file: string, { results, epochs }: Outcome<ClassifierResults>): Promise<void> {
  const { preset, settings, machine, classes, test } = results
  const { accuracy, macro, weighted, perClass } = classificationMetrics(test.truth, test.predicted, classes)
  const { device, deviceName, instructions, precision, threads } = machine
  const figures = {
    ...{ preset, device, deviceName, instructions, precision, threads: threads ?? null },
    seed: settings.seed,
    epochs,
    test: { accuracy, macro, weighted, perClass },
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
  await writeJson(file, figures)
}

async function evaluate(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, evaluateTable)
  const directory = onePositional('a run', positionals)
  if (values.test === undefined) throw new UsageError('wanted --test FILE')
  const device = openDevice(deviceChoice(values))
  const run = await loadRun(directory, { device })
  const data = encodeArticles(run, await readTest(run, values.test, signal))
  const { loss, predicted } = await classify(run.model, data, { signal })
  const all = { labels: run.labels.classes.map((_, i) => i) }
  process.stdout.write(classificationReport(data.labels, predicted, run.labels.classes, all))
  if (values.json === undefined) return
  const { accuracy, macro, weighted, perClass } = classificationMetrics(
    data.labels,
    predicted,
    run.labels.classes,
    all,
  )
  const { kind, name, precision } = device
  const figures = {
    preset: run.preset,
    device: kind,
    deviceName: name,
    precision,
    test: { loss, accuracy, macro, weighted, perClass },
  }
  await writeJson(values.json, figures)
}

async function readTest(
  { posts, dialect }: Run,
  file: string,
  signal: AbortSignal,
): Promise<readonly Article[]> {
  if (posts === null) return readArticles(file, { dialect, signal })
  return heldOut(await readLabelledPosts(file, posts.category, signal), posts.fold).test
}
