import { classify } from '../tasks/classify.js'
import { type Article, readArticles } from '../text/gnad.js'
import { classificationMetrics } from '../training/metrics.js'
import { classificationReport } from '../training/report.js'
import { loadRun, type Run } from '../training/run.js'
import { encodeArticles } from './data.js'
import { deviceChoice, deviceOptions, deviceUsage, openDevice } from './deviceOptions.js'
import { writeJson } from './jsonFile.js'
import { onePositional, parse, UsageError } from './options.js'
import { heldOut, readLabelledPosts } from './posts.js'

export const usage = `packed-rnn evaluate RUN --test FILE [--json FILE] [OPTION …]

Prints the report of a trained model on articles in 10kGNAD's format, plain or .gz, read in the dialect
that it was trained on; or, for a model of posts, on those of its category in the fold that it was not
trained on.

  RUN                a directory that train wrote
  --json FILE        where to write the figures
${deviceUsage}`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, {
    test: { type: 'string' },
    json: { type: 'string' },
    ...deviceOptions,
  })
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
  return heldOut((await readLabelledPosts(file, posts.category, signal)).posts, posts.fold).test
}
