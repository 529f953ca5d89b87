import { readText } from '../files/read.js'
import { reportOfText } from '../tasks/languageResults.js'
import { loadLanguageModel } from '../tasks/languageRun.js'
import { scoreLines, scoreText } from '../tasks/languageScores.js'
import { lines } from '../text/lines.js'
import { deviceChoice, openDevice } from './deviceOptions.js'
import { readInput } from './input.js'
import { writeJson } from './jsonFile.js'
import { cacheOf, evaluateTable, predictTable } from './languageModelOptions.js'
import { entry, onePositional, parse, UsageError, usageOf } from './options.js'

/** Lines that are scored together. */
const BATCH = 64

export const evaluateUsage = `packed-rnn evaluate RUN --test FILE [--json FILE] [OPTION …]

Computes how well a language model predicts a text: loss and perplexity of a token, bits of a token and of a character. The task
is the run's.

${entry('RUN', 'a directory that train wrote')}
${usageOf(evaluateTable)}`

export const predictUsage = `packed-rnn predict RUN [FILE | -] [OPTION …]

Reads a text a line and prints its log-probability, its perplexity and the line, separated by tabs. Each line is scored by
itself, with its end. The task is the run's.

${entry('RUN', 'a directory that train wrote')}
${entry('FILE', 'a text file, plain or .gz; - or nothing is standard input')}
${usageOf(predictTable)}`

/** Prints the scores of a run on a text. */
export async function evaluateLanguageModel(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, evaluateTable)
  const directory = onePositional('a run', positionals)
  if (values.test === undefined) throw new UsageError('wanted --test FILE')
  const cache = cacheOf(values)
  const text: string[] = []
  for await (const line of lines(readText(values.test, signal))) text.push(line)
  const run = await loadLanguageModel(directory, { device: openDevice(deviceChoice(values)) })
  const batchSize = values['batch-size'] ?? 1
  const scores = await scoreText(run, text, { batchSize, signal, ...(cache && { cache }) })
  process.stdout.write(reportOfText(scores))
  if (values.json !== undefined) await writeJson(values.json, scores)
}

/** Prints the scores of the lines of a file. */
export async function predictLines(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, predictTable)
  const [directory, file = '-', ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new UsageError('wanted a run and at most one file')
  const run = await loadLanguageModel(directory, { device: openDevice(deviceChoice(values)) })
  let batch: string[] = []
  const flush = async () => {
    const scores = await scoreLines(run, batch, { signal })
    for (const [i, { logProbability, tokens }] of scores.entries()) {
      const perplexity = Math.exp(-logProbability / tokens)
      process.stdout.write(`${logProbability.toFixed(4)}\t${perplexity.toFixed(2)}\t${batch[i]}\n`)
    }
    batch = []
  }
  for await (const line of lines(readInput(file, signal))) {
    batch.push(line)
    if (batch.length === BATCH) await flush()
  }
  await flush()
}
