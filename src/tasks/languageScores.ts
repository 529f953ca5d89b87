import { noGrad } from '../autograd.js'
import { checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import type { LanguageModelState } from '../models/languageModel.js'
import { LstmState } from '../nn/index.js'
import { sum } from '../ops/reduce.js'
import { PackedIds } from '../packed.js'
import { scope } from '../scope.js'
import { disposeState, outliveState } from '../state.js'
import { evaluate } from '../training/evaluation.js'
import { type CacheOptions, checkCache, TokenCache } from './cachePointer.js'
import { LanguageModeling, lossesOf } from './languageModeling.js'
import { type LanguageRun, lineIds, unknownIds } from './languageRun.js'
import { joinedIds, StreamLoader } from './streams.js'

/** Options of `scoreText`. */
export interface ScoreTextOptions {
  /**
   * Parallel streams; default 1, which reads the whole text in its order. With B streams each token but the first of a stream is scored,
   * and tokens at the end that do not fill the streams are left out.
   */
  batchSize?: number
  /** Tokens that are computed together; default 70. It does not change the result. */
  window?: number
  /** Mixes the model's probabilities with those of a cache of recent tokens; requires one stream. Default: no cache. */
  cache?: CacheOptions
  /** Stops before the next window; the promise then rejects with the signal's reason. */
  signal?: AbortSignal
}

const names: OptionNames<ScoreTextOptions> = { batchSize: true, window: true, cache: true, signal: true }

/** How well a language model predicts a text. */
export interface TextScores {
  /** Mean −log p of a token, in nats. */
  loss: number
  /** e to the loss. */
  perplexity: number
  /** Bits for each token. */
  bits: number
  /** The same, divided by the characters (Unicode code points) of a token, line ends included. */
  bitsPerCharacter: number
  /** Scored tokens. */
  tokens: number
  /** The share of tokens that the vocabulary lacks, or that the text itself marks as `<unk>`. */
  unknown: number
}

/**
 * Computes the perplexity of a text. Each line ends with the end mark, which is scored too. The model is in evaluation mode meanwhile.
 *
 * @throws PackedRnnError (rejects) ERR_EMPTY for a text of fewer than two tokens a stream; ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT for an
 * invalid or unknown option; the signal's reason.
 *
 * @example
 * ```ts
 * import { LanguageModel } from 'packed-rnn/models'
 * import { scoreText } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const vocabulary = MarkedVocabulary.fromWords(['ein', 'Hund'])
 * const model = new LanguageModel({ vocabularySize: vocabulary.size, embeddingDim: 4, hiddenSize: 8 })
 * const run = { model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }
 * const { tokens, unknown } = await scoreText(run, ['ein Hund', 'ein Mops'])
 * console.log(tokens, unknown.toFixed(2)) // 5 0.17
 * ```
 */
export async function scoreText(
  run: LanguageRun,
  lines: readonly string[],
  options: ScoreTextOptions = {},
): Promise<TextScores> {
  const op = 'scoreText'
  checkOptions(op, options, names)
  const { batchSize = 1, window = 70, cache, signal } = options
  if (cache !== undefined) {
    checkCache(op, cache)
    if (batchSize !== 1) throw badArgument(op, 'batchSize', '1 with a cache', batchSize)
  }
  const ids = lineIds(run, lines)
  const loader = new StreamLoader(ids, { batchSize, window })
  const stops = signal === undefined ? {} : { signal }
  const { loss, tokens } =
    cache === undefined
      ? await plainLoss(run, loader, stops)
      : await cachedLoss(run, loader, { cache, ...stops })
  const characters = lines.reduce((all, line) => all + [...line].length + 1, 0)
  const bits = loss / Math.LN2
  const unknown = new Set(unknownIds(run.vocabulary))
  return {
    loss,
    perplexity: Math.exp(loss),
    bits,
    bitsPerCharacter: bits * (ids.length / characters),
    tokens,
    unknown: ids.reduce((count, id) => count + (unknown.has(id) ? 1 : 0), 0) / ids.length,
  }
}

interface MeanLoss {
  loss: number
  tokens: number
}

async function plainLoss(
  { model }: LanguageRun,
  loader: StreamLoader,
  options: { signal?: AbortSignal },
): Promise<MeanLoss> {
  const { metrics, sums } = await evaluate(new LanguageModeling(model), loader, options)
  return { loss: metrics.loss!, tokens: sums.tokens! }
}

async function cachedLoss(
  { model }: LanguageRun,
  loader: StreamLoader,
  { cache: options, signal }: { cache: CacheOptions; signal?: AbortSignal },
): Promise<MeanLoss> {
  const cache = new TokenCache(options)
  const wasTraining = model.training
  model.eval()
  let state: LanguageModelState | null = null
  let [total, tokens] = [0, 0]
  try {
    for (const { batch } of loader.epoch(0).from(0)) {
      signal?.throwIfAborted()
      const before: LanguageModelState | null = state
      const { loss, reached } = noGrad(() =>
        scope(() => {
          const { features, state: after } = model.forward(batch.ids, before)
          const losses = lossesOf(model, features.data, batch.next)
          const mixed = cache.mixed(features.data, losses, batch.next)
          const leaves = outliveState(after.map(({ h, c }) => ({ h, c })))
          return { loss: sum(mixed).item(), reached: leaves.map(({ h, c }) => new LstmState(h, c)) }
        }),
      )
      if (before !== null) disposeState(before.map(({ h, c }) => ({ h, c })))
      state = reached
      total += await loss
      tokens += batch.next.length
    }
  } finally {
    cache.dispose()
    if (state !== null) disposeState((state as LanguageModelState).map(({ h, c }) => ({ h, c })))
    if (wasTraining) model.train()
  }
  return { loss: total / tokens, tokens }
}

/** The score of a line under a language model. */
export interface LineScore {
  /** Σ log p of its tokens and its end mark, as the first line of a text, in nats. */
  logProbability: number
  /** Tokens, the end mark included. */
  tokens: number
}

/** Lines that are scored together. */
const BATCH = 64

/**
 * Scores each line by itself.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT for an unknown option; the signal's reason.
 *
 * @example
 * ```ts
 * import { LanguageModel } from 'packed-rnn/models'
 * import { scoreLines } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const vocabulary = MarkedVocabulary.fromWords(['ein', 'Hund'])
 * const model = new LanguageModel({ vocabularySize: vocabulary.size, embeddingDim: 4, hiddenSize: 8 })
 * const run = { model, vocabulary, codec: tokenCodec('whitespace'), lowercase: false }
 * console.log((await scoreLines(run, ['ein Hund', ''])).map(({ tokens }) => tokens)) // [3, 1]
 * ```
 */
export async function scoreLines(
  run: LanguageRun,
  lines: readonly string[],
  options: { signal?: AbortSignal } = {},
): Promise<LineScore[]> {
  checkOptions('scoreLines', options, { signal: true })
  const { model } = run
  const wasTraining = model.training
  model.eval()
  const scores: LineScore[] = []
  try {
    for (let first = 0; first < lines.length; first += BATCH) {
      options.signal?.throwIfAborted()
      const texts = lines.slice(first, first + BATCH).map(line => lineIds(run, [line]))
      // A line begins after the end of another one.
      const begin = Int32Array.of(run.vocabulary.end)
      const read = texts.map(ids => joinedIds([begin, ids.subarray(0, -1)]))
      const losses = noGrad(() =>
        scope(() => {
          const { features } = model.forward(new PackedIds(read))
          return lossesOf(model, features.data, joinedIds(texts)).toArray()
        }),
      )
      const found = await losses
      let at = 0
      for (const { length } of texts) {
        const logProbability = -found.subarray(at, at + length).reduce((all, loss) => all + loss, 0)
        scores.push({ logProbability, tokens: length })
        at += length
      }
    }
  } finally {
    if (wasTraining) model.train()
  }
  return scores
}
