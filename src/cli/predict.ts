import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { readText } from '../text/file.js'
import { evaluate } from '../training/evaluate.js'
import { encode, loadRun, type Run } from '../training/run.js'
import { deviceChoice, deviceOptions, deviceUsage, openDevice } from './deviceOptions.js'
import { parse, UsageError } from './options.js'

export const usage = `packed-rnn predict RUN [FILE | -] [OPTION …]

Reads an article a line and prints a line for each: its category, and all categories with their
probabilities, the most probable first, separated by tabs.

  RUN                a directory that train wrote
  FILE               a text file, plain or .gz; - or nothing is standard input
${deviceUsage}`

/** Lines that are put through the model together. */
const BATCH = 32

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, deviceOptions)
  const [directory, file = '-', ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new UsageError('wanted a run and at most one file')
  const run = await loadRun(directory, { device: openDevice(deviceChoice(values)) })
  const input = file === '-' ? process.stdin : Readable.from(readText(file, signal))
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY, signal })
  // readline does not pass its input's errors on.
  let failure: unknown
  input.on('error', error => {
    failure = error
    lines.close()
  })
  let batch: string[] = []
  const flush = async () => {
    if (batch.length > 0) await printPredictions(run, batch, signal)
    batch = []
  }
  for await (const line of lines) {
    batch.push(line)
    if (batch.length === BATCH) await flush()
  }
  if (failure !== undefined) throw failure
  // readline only stops when it is told to.
  signal.throwIfAborted()
  await flush()
}

async function printPredictions(run: Run, texts: string[], signal: AbortSignal): Promise<void> {
  const documents = texts.map(text => encode(run, text))
  // The labels play no part in the probabilities.
  const labels = new Int32Array(documents.length)
  const { probabilities } = await evaluate(run.model, { documents, labels }, { batchSize: BATCH, signal })
  const { classes } = run.labels
  for (let i = 0; i < documents.length; i++) {
    const row = classes.map((category, c) => ({
      category,
      probability: probabilities[i * classes.length + c]!,
    }))
    row.sort((a, b) => b.probability - a.probability)
    const fields = row.map(({ category, probability }) => `${category} ${probability.toFixed(4)}`)
    process.stdout.write(`${[row[0]!.category, ...fields].join('\t')}\n`)
  }
}
