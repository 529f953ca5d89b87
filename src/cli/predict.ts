import { connectivities } from '../explain/connectivity.js'
import { decidingWords, WORDS } from '../explain/reading.js'
import { classify } from '../tasks/classify.js'
import { lines } from '../text/lines.js'
import { tokenizers } from '../text/tokenize.js'
import { loadRun, type Run } from '../training/run.js'
import { deviceChoice, deviceOptions, deviceUsage, openDevice } from './deviceOptions.js'
import { readInput } from './input.js'
import { optionalInteger, parse, UsageError } from './options.js'

export const usage = `packed-rnn predict RUN [FILE | -] [OPTION …]

Reads an article a line and prints a line for each: its category, and all categories with their
probabilities, the most probable first, separated by tabs. A line ends with LF or CRLF.

  RUN                a directory that train wrote
  FILE               a text file, plain or .gz; - or nothing is standard input
  --explain [N]      prints a second line for each, which a tab begins: the N words (default ${WORDS}) that
                     decided the category, with their shares; as the page of memorisation has them
${deviceUsage}`

/** Lines that are put through the model together. */
const BATCH = 32

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(withDefault(args), { ...deviceOptions, explain: { type: 'string' } })
  const [directory, file = '-', ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new UsageError('wanted a run and at most one file')
  const words = optionalInteger('explain', values.explain, 1) ?? 0
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

/** `parseArgs` knows no option whose value may be left out. */
function withDefault(args: readonly string[]): string[] {
  return args.map((arg, i) => {
    const isAlone = arg === '--explain' && !/^\d+$/.test(args[i + 1] ?? '')
    return isAlone ? `--explain=${WORDS}` : arg
  })
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
  const probabilities = found?.map(each => each.probabilities) ?? (await predict(run, documents, signal))
  for (const [i, row] of probabilities.entries()) {
    const ranked = classes.map((name, c) => ({ name, share: row[c]! })).sort((a, b) => b.share - a.share)
    printFields([ranked[0]!.name, ...ranked.map(field)])
    if (found === null) continue
    const deciding = decidingWords(tokens[i]!, found[i]!.strengths, words)
    printFields(['', deciding.map(({ word, share }) => field({ name: word, share })).join('\t')])
  }
}

/** The probabilities of each document's categories. */
async function predict(run: Run, documents: Int32Array[], signal: AbortSignal): Promise<Float32Array[]> {
  // The labels play no part in the probabilities.
  const labels = new Int32Array(documents.length)
  const { probabilities } = await classify(run.model, { documents, labels }, { batchSize: BATCH, signal })
  const columns = run.labels.classes.length
  return documents.map((_, i) => probabilities.subarray(i * columns, (i + 1) * columns))
}

function field({ name, share }: { name: string; share: number }): string {
  return `${name} ${share.toFixed(4)}`
}

function printFields(fields: readonly string[]): void {
  process.stdout.write(`${fields.join('\t')}\n`)
}
