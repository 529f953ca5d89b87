import { classificationMetrics } from '../training/metrics.js'
import { crossValidate } from './crossValidation.js'
import { readTexts, readVectors, type Texts } from './data.js'
import { writeJson } from './jsonFile.js'
import { heldOut, readLabelledPosts } from './posts.js'
import { readCommandLine } from './trainOptions.js'
import { contextOf, type Outcome, trainRun } from './trainRun.js'

export { usage } from './trainOptions.js'

export async function execute(commandLine: string[], signal: AbortSignal): Promise<void> {
  const command = await readCommandLine(commandLine)
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
