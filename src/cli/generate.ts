import { type GenerateOptions, generate, generateBest } from '../tasks/generation.js'
import { type LanguageRun, loadLanguageModel } from '../tasks/languageRun.js'
import { deviceChoice, openDevice } from './deviceOptions.js'
import { generateTable } from './languageModelOptions.js'
import { entry, parse, UsageError, usageOf, type ValuesOf } from './options.js'

export const usage = `packed-rnn generate RUN [PROMPT] [OPTION …]

Continues a text with a language model, and prints it as it goes. Without a prompt it begins a line.

${entry('RUN', 'a directory that train --task language-model wrote')}
${entry('PROMPT', 'the beginning of the text')}
${usageOf(generateTable)}`

type Values = ValuesOf<typeof generateTable>

/** Prints the continuation of a prompt. */
export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, generateTable)
  const [directory, prompt = '', ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new UsageError('wanted a run and at most one prompt')
  checkSearch(values)
  const run = await loadLanguageModel(directory, { device: openDevice(deviceChoice(values)) })
  if (values.beam === undefined) await printStream(run, prompt, values, signal)
  else await printBest(run, prompt, { ...values, beam: values.beam }, signal)
}

/** @throws UsageError for options that do not go together. */
function checkSearch(values: Values): void {
  const draws = ['temperature', 'top-p', 'min-probability', 'seed'] as const
  const drawn = draws.find(name => values[name] !== undefined)
  const { greedy, beam, temperature, 'top-p': topP, 'n-best': nBest = 1 } = values
  if (greedy === true && beam !== undefined) throw new UsageError('--greedy: wanted no --beam')
  if (drawn !== undefined && beam !== undefined) throw new UsageError(`--${drawn}: wanted no --beam`)
  if (drawn !== undefined && greedy === true) throw new UsageError(`--${drawn}: wanted no --greedy`)
  if (greedy === true && values['top-k'] !== undefined) throw new UsageError('--top-k: wanted no --greedy')
  if (temperature === 0) throw new UsageError('--temperature: wanted a number above 0, or --greedy, got 0')
  if (topP !== undefined && (topP === 0 || topP > 1)) {
    throw new UsageError(`--top-p: wanted a number above 0, at most 1, got ${topP}`)
  }
  const least = values['min-probability'] ?? 0
  if (least > 1) throw new UsageError(`--min-probability: wanted a number from 0 to 1, got ${least}`)
  if (beam !== undefined && nBest > beam) {
    throw new UsageError(`--n-best: wanted at most --beam ${beam}, got ${nBest}`)
  }
}

function continuationOf(values: Values, signal: AbortSignal) {
  const { length, 'one-line': oneLine = false, unknown = false } = values
  return { ...{ oneLine, unknown, signal }, ...(length !== undefined && { length }) }
}

async function printStream(
  run: LanguageRun,
  prompt: string,
  values: Values,
  signal: AbortSignal,
): Promise<void> {
  const { temperature, 'top-k': topK, 'top-p': topP, 'min-probability': minProbability, seed = 1 } = values
  const sampling: GenerateOptions['sampling'] =
    values.greedy === true
      ? null
      : {
          seed,
          ...(temperature !== undefined && { temperature }),
          ...(topK !== undefined && { topK }),
          ...(topP !== undefined && { topP }),
          ...(minProbability !== undefined && { minProbability }),
        }
  process.stdout.write(prompt)
  const pieces = generate(run, prompt, { ...continuationOf(values, signal), sampling })
  for await (const piece of pieces) process.stdout.write(piece)
  process.stdout.write('\n')
}

async function printBest(
  run: LanguageRun,
  prompt: string,
  values: Values & { beam: number },
  signal: AbortSignal,
): Promise<void> {
  const { beam: beams, 'n-best': nBest = 1, 'top-k': topK, 'length-penalty': lengthPenalty = 0 } = values
  const found = await generateBest(run, prompt, {
    ...{ ...continuationOf(values, signal), beams, nBest, lengthPenalty },
    ...(topK !== undefined && { topK }),
  })
  for (const { text, score } of found) {
    process.stdout.write(`${nBest === 1 ? '' : `${score.toFixed(4)}\t`}${prompt}${text}\n`)
  }
}
