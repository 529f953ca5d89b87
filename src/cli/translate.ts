import { PackedIds } from '../packed.js'
import { reportOf } from '../tasks/translationResults.js'
import { loadTranslation, sourceIds, type TranslationRun, targetIds } from '../tasks/translationRun.js'
import { scoreTranslations, translateAll } from '../tasks/translationScores.js'
import { lines } from '../text/lines.js'
import { deviceChoice, openDevice } from './deviceOptions.js'
import { readInput } from './input.js'
import { writeJson } from './jsonFile.js'
import { entry, onePositional, parse, UsageError, usageOf } from './options.js'
import { evaluateTable, predictTable, readGivenPairs, searchOf } from './translationOptions.js'

/** Lines that are translated together. */
const BATCH = 64

export const evaluateUsage = `packed-rnn evaluate RUN --source FILE --target FILE [--json FILE] [OPTION …]

Translates sentences and compares them with their targets: BLEU and chrF with their signatures as sacreBLEU prints them, the
share of exact matches, and perplexity. The task is the run's.

${entry('RUN', 'a directory that train wrote')}
${usageOf(evaluateTable)}`

export const predictUsage = `packed-rnn predict RUN [FILE | -] [OPTION …]

Reads a sentence a line and prints its translation, a line each. A line ends with LF or CRLF; an empty line is translated like
any other. The task is the run's.

${entry('RUN', 'a directory that train wrote')}
${entry('FILE', 'a text file, plain or .gz; - or nothing is standard input')}
${usageOf(predictTable)}`

/** Prints the scores of a run on pairs. */
export async function evaluateTranslation(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, evaluateTable)
  const directory = onePositional('a run', positionals)
  const pairs = await readGivenPairs(values, { empty: 'keep', signal })
  const run = await loadTranslation(directory, { device: openDevice(deviceChoice(values)) })
  const found = await scoreTranslations(run, pairs, {
    search: searchOf(values),
    tokenize: values['bleu-tokenizer'] ?? 'none',
    ...(values.lowercase === true && { lowercase: true }),
    signal,
  })
  process.stdout.write(reportOf(found))
  const { scores, bleuSignature, chrfSignature } = found
  if (values.json !== undefined) await writeJson(values.json, { ...scores, bleuSignature, chrfSignature })
}

/** Prints the translations of the lines of a file. */
export async function predictTranslations(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, predictTable)
  const [directory, file = '-', ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new UsageError('wanted a run and at most one file')
  const options = { ...searchOf(values), signal }
  const run = await loadTranslation(directory, { device: openDevice(deviceChoice(values)) })
  let batch: string[] = []
  const flush = async () => {
    if (batch.length === 0) return
    const found = await translateAll(run, batch, options)
    for (const [i, all] of found.entries()) {
      for (const { text, score } of all) {
        process.stdout.write(options.nBest === 1 ? `${text}\n` : `${score.toFixed(4)}\t${text}\n`)
        if (values.alignment === true) process.stdout.write(`\t${await alignedWords(run, batch[i]!, text)}\n`)
      }
    }
    batch = []
  }
  for await (const line of lines(readInput(file, signal))) {
    batch.push(line)
    if (batch.length === BATCH) await flush()
  }
  await flush()
}

/** Pairs `source-target` of words from 0, as alignment tools print them: each target word with the source word it looks at most. */
async function alignedWords(run: TranslationRun, source: string, target: string): Promise<string> {
  const from = sourceIds(run, source)
  // Without the mark of the end, the last row is that of the last word.
  const to = targetIds(run, target).slice(0, -2)
  if (from.length === 0 || to.length === 0) return ''
  const found = await run.model.alignment(new PackedIds([from]), new PackedIds([to]))
  if (found === null) throw new UsageError('--alignment: wanted a model with attention')
  const weights = found[0]!
  return Array.from(to, (_, t) => {
    const row = weights.subarray(t * from.length, (t + 1) * from.length)
    return `${row.indexOf(Math.max(...row))}-${t}`
  }).join(' ')
}
