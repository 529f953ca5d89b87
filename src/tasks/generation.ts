import { checkInteger, checkOptions, type OptionNames } from '../check.js'
import { beamSearch } from '../decoding/beam.js'
import { greedyStream } from '../decoding/greedy.js'
import { sampleStream } from '../decoding/sample.js'
import type { DecodedTokens } from '../decoding/tokens.js'
import { badArgument } from '../errors.js'
import { type LanguageRun, unknownIds } from './languageRun.js'
import { readPrompt } from './prompt.js'

/** Options of `generate` and `generateBest`. */
export interface ContinuationOptions {
  /** The most tokens of the continuation; default 100. */
  length?: number
  /** Whether the continuation ends with its first line; default false: the text continues. */
  oneLine?: boolean
  /** Whether unknown words may be chosen; default false. */
  unknown?: boolean
  /** Stops before the next token, with the signal's reason. */
  signal?: AbortSignal
}

const continuationNames: OptionNames<ContinuationOptions> = {
  length: true,
  oneLine: true,
  unknown: true,
  signal: true,
}

/** Options of `generate`. */
export interface GenerateOptions extends ContinuationOptions {
  /**
   * How tokens are drawn, as of `sample` of packed-rnn/decoding: probabilities p^(1/T) of the k most probable tokens, or of those that make
   * up `topP`, or of those of at least `minProbability`. Null: the most probable token is taken. Default: drawn by the model's
   * probabilities with seed 0.
   */
  sampling?: {
    seed: number
    temperature?: number
    topK?: number
    topP?: number
    minProbability?: number
  } | null
}

const generateNames: OptionNames<GenerateOptions> = { ...continuationNames, sampling: true }

/**
 * Continues a text, piece by piece: the pieces joined are the continuation, without the prompt. Line ends are pieces too.
 *
 * @param prompt the beginning; several lines are separated by `\n`. An empty prompt begins a new line.
 * @throws PackedRnnError (rejects) ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid or unknown option; the signal's reason.
 *
 * @example
 * ```ts
 * import { manualSeed } from 'packed-rnn'
 * import { LanguageModel } from 'packed-rnn/models'
 * import { generate } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * manualSeed(1)
 * const vocabulary = MarkedVocabulary.fromWords(['ein', 'Hund'])
 * const model = new LanguageModel({ vocabularySize: vocabulary.size, embeddingDim: 4, hiddenSize: 8 })
 * const run = { model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }
 * let text = 'ein'
 * for await (const piece of generate(run, text, { length: 5, sampling: { seed: 2 } })) text += piece
 * console.log(text.split(/\s/).length) // 6
 * ```
 */
export async function* generate(
  run: LanguageRun,
  prompt: string,
  options: GenerateOptions = {},
): AsyncGenerator<string, void, void> {
  const op = 'generate'
  checkOptions(op, options, generateNames)
  const { sampling = { seed: 0 } } = options
  const start = begun(op, run, prompt, options)
  try {
    const stream: AsyncIterable<DecodedTokens> =
      sampling === null
        ? greedyStream(start.step, start.options)
        : sampleStream(start.step, { ...start.options, ...sampling })
    const line = [...start.line]
    let shown = run.codec.decode(words(run, line))
    for await (const { tokens } of stream) {
      const [token] = tokens
      if (token === run.vocabulary.end) {
        line.length = 0
        shown = ''
        yield '\n'
        continue
      }
      line.push(token!)
      const text = run.codec.decode(words(run, line))
      if (text === shown) continue
      yield text.slice(shown.length)
      shown = text
    }
  } finally {
    start.dispose()
  }
}

/** Options of `generateBest`. */
export interface GenerateBestOptions extends ContinuationOptions {
  /** Continuations that live at the same time. */
  beams: number
  /** How many to return; default 1. */
  nBest?: number
  /** How many tokens of each compete; default all. */
  topK?: number
  /** α: a score is log p / length^α; default 0. */
  lengthPenalty?: number
}

const bestNames: OptionNames<GenerateBestOptions> = {
  ...continuationNames,
  beams: true,
  nBest: true,
  topK: true,
  lengthPenalty: true,
}

/** A continuation that was searched. */
export interface Continuation {
  /** Without the prompt. */
  text: string
  /** Σ log p of its tokens, in nats. */
  logProbability: number
  score: number
}

/**
 * Returns the most probable continuations that a beam search finds, the best first.
 *
 * @param prompt as of `generate`.
 * @throws PackedRnnError (rejects) ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an invalid or unknown option; the signal's reason.
 *
 * @example
 * ```ts
 * import { manualSeed } from 'packed-rnn'
 * import { LanguageModel } from 'packed-rnn/models'
 * import { generateBest } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * manualSeed(1)
 * const vocabulary = MarkedVocabulary.fromWords(['ein', 'Hund'])
 * const model = new LanguageModel({ vocabularySize: vocabulary.size, embeddingDim: 4, hiddenSize: 8 })
 * const run = { model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }
 * const found = await generateBest(run, 'ein', { length: 2, beams: 4, nBest: 3 })
 * console.log(found.length, found[0]!.score >= found[1]!.score) // 3 true
 * ```
 */
export async function generateBest(
  run: LanguageRun,
  prompt: string,
  options: GenerateBestOptions,
): Promise<Continuation[]> {
  const op = 'generateBest'
  checkOptions(op, options, bestNames)
  const { beams, nBest = 1, topK, lengthPenalty: alpha = 0 } = options
  const start = begun(op, run, prompt, options)
  try {
    const [found] = await beamSearch(start.step, {
      ...start.options,
      ...{ beams, nBest, lengthPenalty: { alpha } },
      ...(topK !== undefined && { topK }),
    })
    return found!.map(({ tokens, logProbability, score }) => {
      return { text: continuation(run, start.line, tokens), logProbability, score }
    })
  } finally {
    start.dispose()
  }
}

/** The text of tokens behind the ids of a begun line. */
export function continuation(run: LanguageRun, line: readonly number[], tokens: readonly number[]): string {
  const { codec, vocabulary } = run
  const lines: number[][] = [[...line]]
  for (const token of tokens) {
    if (token === vocabulary.end) lines.push([])
    else lines.at(-1)!.push(token)
  }
  const text = lines.map(ids => codec.decode(words(run, ids))).join('\n')
  return text.slice(codec.decode(words(run, line)).length)
}

/** A run that has read a prompt, with what decoding needs, and the ids of the prompt's last line. */
function begun(op: string, run: LanguageRun, prompt: string, given: ContinuationOptions) {
  const { model, codec, vocabulary, lowercase } = run
  const { length = 100, oneLine = false, unknown = false, signal } = given
  checkInteger(op, 'length', length, 0)
  if (typeof prompt !== 'string') throw badArgument(op, 'prompt', 'a text', prompt)
  const lines = prompt.split('\n').map(line => {
    return vocabulary.encode(codec.encode(lowercase ? line.toLowerCase() : line))
  })
  // A text begins after the end of a line.
  const ids = lines.flatMap(line => [vocabulary.end, ...line])
  const exclude = [vocabulary.begin, ...(unknown ? [] : unknownIds(vocabulary))]
  const read = readPrompt(model, ids)
  const options = {
    ...{ ...read.options, exclude, end: oneLine ? vocabulary.end : null, maxLength: length },
    ...(signal !== undefined && { signal }),
  }
  return { ...read, options, line: [...lines.at(-1)!] }
}

function words({ vocabulary }: LanguageRun, ids: readonly number[]): string[] {
  return ids.map(id => vocabulary.word(id))
}
