import { connectivities } from '../explain/connectivity.js'
import { decidingWords, WORDS } from '../explain/reading.js'
import { PackedIds } from '../packed.js'
import { Classification } from '../tasks/classification.js'
import { loadRun, type Run } from '../tasks/classifierRun.js'
import { lines } from '../text/lines.js'
import { tokenizers } from '../text/tokenize.js'
import { predict } from '../training/evaluation.js'
import { deviceChoice, deviceOptions, openDevice } from './deviceOptions.js'
import { readInput } from './input.js'
import { entry, integerOption, parse, UsageError, usageOf } from './options.js'

/** Lines that are put through the model together. */
const BATCH = 32

/** The options of `predict`. */
export const predictTable = {
  explain: {
    ...integerOption(
      `adds a line for each article, starting with a tab: the N words (default ${WORDS}) that\n` +
        'contributed most, with their shares, as on the page of memorisation',
      1,
    ),
    alone: String(WORDS),
  },
  ...deviceOptions,
} as const

export const predictUsage = `packed-rnn predict RUN [FILE | -] [OPTION …]

Reads an article a line and prints a line for each: its category, and all categories with their
probabilities, the most probable first, separated by tabs. A line ends with LF or CRLF. The task is the run's.

${entry('RUN', 'a directory that train wrote')}
${entry('FILE', 'a text file, plain or .gz; - or nothing is standard input')}
${usageOf(predictTable)}`

/** Prints the categories of the articles in a file, one a line. */
export async function predictCategories(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, predictTable)
  const [directory, file = '-', ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new UsageError('wanted a run and at most one file')
  const words = values.explain ?? 0
  const run = await loadRun(directory, { device: openDevice(deviceChoice(values)) })
  let batch: string[] = []
  const flush = async () => {
    if (batch.length > 0) await printPredictions(run, batch, words, signal)
    batch = []
  }
  for await (const line of lines(readInput(file, signal))) {
    batch.push(line)
    if (batch.length === BATCH) await flush()
  }
  await flush()
}

/** @param words that are named with each; where 0, no line is printed for them. */
async function printPredictions(
  run: Run,
  texts: readonly string[],
  words: number,
  signal: AbortSignal,
): Promise<void> {
  const { classes } = run.labels
  const tokens = texts.map(text => tokenizers[run.tokenizer](text))
  const documents = tokens.map(each => run.vocabulary.encode(each))
  const found = words > 0 ? await connectivities(run.model, documents, { signal }) : null
  const probabilities =
    found?.map(each => each.probabilities) ?? (await probabilitiesOf(run, documents, signal))
  for (const [i, row] of probabilities.entries()) {
    const ranked = classes.map((name, c) => ({ name, share: row[c]! })).sort((a, b) => b.share - a.share)
    printFields([ranked[0]!.name, ...ranked.map(field)])
    if (found === null) continue
    const deciding = decidingWords(tokens[i]!, found[i]!.strengths, words)
    printFields(['', deciding.map(({ word, share }) => field({ name: word, share })).join('\t')])
  }
}

/** The probabilities of each document's categories. */
async function probabilitiesOf(
  run: Run,
  documents: readonly Int32Array[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  // The labels play no part in what is predicted.
  const batch = { ids: new PackedIds(documents), labels: new Int32Array(documents.length) }
  const answers = predict(new Classification(run.model), [batch], { signal })
  const found: Float32Array[] = []
  for await (const { probabilities } of answers) found.push(probabilities)
  return found
}

function field({ name, share }: { name: string; share: number }): string {
  return `${name} ${share.toFixed(4)}`
}

function printFields(fields: readonly string[]): void {
  process.stdout.write(`${fields.join('\t')}\n`)
}
