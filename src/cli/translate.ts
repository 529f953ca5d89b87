import { PackedIds } from '../packed.js'
import { reportOf } from '../tasks/translationResults.js'
import { loadTranslation, sourceIds, type TranslationRun } from '../tasks/translationRun.js'
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
    ...(values['bleu-tokenizer'] !== undefined && { tokenize: values['bleu-tokenizer'] }),
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
  if (values.alignment === true && !run.model.decoder.attends) {
    throw new UsageError('--alignment: wanted a model with attention')
  }
  let batch: string[] = []
  const flush = async () => {
    if (batch.length === 0) return
    const found = await translateAll(run, batch, options)
    for (const [i, all] of found.entries()) {
      for (const { text, ids, score } of all) {
        process.stdout.write(options.nBest === 1 ? `${text}\n` : `${score.toFixed(4)}\t${text}\n`)
        if (values.alignment === true) process.stdout.write(`\t${await alignedTokens(run, batch[i]!, ids)}\n`)
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

/** Pairs `source-target` of tokens from 0: each token of a translation with the one of the source that it looked at most. */
async function alignedTokens(run: TranslationRun, source: string, ids: readonly number[]): Promise<string> {
  const from = sourceIds(run, source)
  if (from.length === 0 || ids.length === 0) return ''
  // The step that reads a word finds the next one.
  const read = Int32Array.of(run.target.vocabulary.begin, ...ids.slice(0, -1))
  const [weights] = (await run.model.alignment(new PackedIds([from]), new PackedIds([read])))!
  return ids
    .map((_, t) => {
      const row = weights!.subarray(t * from.length, (t + 1) * from.length)
      return `${row.indexOf(Math.max(...row))}-${t}`
    })
    .join(' ')
}
