import { classify } from '../tasks/classify.js'
import { type Article, readArticles } from '../text/gnad.js'
import { classificationMetrics } from '../training/metrics.js'
import { classificationReport } from '../training/report.js'
import { loadRun, type Run } from '../training/run.js'
import { predictCategories } from './categories.js'
import { crossValidate } from './crossValidation.js'
import { encodeArticles, readTexts, readVectors, type Texts } from './data.js'
import { deviceChoice, openDevice } from './deviceOptions.js'
import { writeJson } from './jsonFile.js'
import type { ValuesOf } from './options.js'
import { heldOut, readLabelledPosts } from './posts.js'
import type { CliTask, evaluateTable } from './taskOptions.js'
import { readCommandLine } from './trainOptions.js'
import { contextOf, type Outcome, trainRun } from './trainRun.js'

/** The classification of articles and of posts. */
export const classification: CliTask = { train, evaluate, predict: predictCategories }

async function train(args: string[], signal: AbortSignal): Promise<void> {
  const command = await readCommandLine(args)
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
  const outcome = await trainRun({ ...texts, vectors }, command, context)
  process.stdout.write(outcome.report)
  if (json !== undefined) await writeFigures(json, outcome)
}

async function writeFigures(file: string, { results, epochs }: Outcome): Promise<void> {
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

async function evaluate(
  directory: string,
  values: ValuesOf<typeof evaluateTable>,
  signal: AbortSignal,
): Promise<void> {
  const device = openDevice(deviceChoice(values))
  const run = await loadRun(directory, { device })
  const data = encodeArticles(run, await readTest(run, values.test!, signal))
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
