import { checkInteger, checkNumber, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { viaBits } from '../ops/bits.js'
import { lt, minimum, scale, sub, where } from '../ops/elementwise.js'
import { gather, indexSelect } from '../ops/indexing.js'
import { multinomial } from '../ops/random.js'
import { amax, cumsum, softmax, topk } from '../ops/reduce.js'
import { Generator } from '../random.js'
import type { State } from '../state.js'
import type { Float, Tensor } from '../tensor.js'
import { type Decoded, type DecodeOptions, decodeNames, planOf } from './options.js'
import { type DecodeStep, isAll } from './step.js'
import { type Choose, collected, type DecodedTokens, tokenSteps, withoutEnds } from './tokens.js'

/** Options of `sample`. The most probable token is never excluded. */
export interface SampleOptions<S extends State> extends DecodeOptions<S> {
  /** An integer from 0 to 2^53 − 1. The same seed draws the same texts, whatever else draws numbers. */
  seed: number
  /** T above 0: tokens are drawn with probabilities proportional to p^(1/T). Default 1. */
  temperature?: number
  /** Draws from the k most probable tokens; the lower token comes first among equals. Default all. */
  topK?: number
  /**
   * Draws from the fewest tokens whose probabilities, after `temperature` and `topK`, add up to at least this number
   * in (0, 1] (Holtzman et al. 2019, nucleus sampling). Below 1, `topK` is 1,024 by default.
   */
  topP?: number
  /** Excludes tokens whose probability under the model is below this number. Default 0. */
  minProbability?: number
}

const sampleNames: OptionNames<SampleOptions<State>> = {
  ...decodeNames,
  seed: true,
  temperature: true,
  topK: true,
  topP: true,
  minProbability: true,
}

/** The most tokens that top-p sorts by default. */
const NUCLEUS = 1024

interface Shaping {
  temperature: number
  topK: number
  topP: number
  minProbability: number
}

function shapingOf(op: string, options: SampleOptions<State>): Shaping {
  const { temperature = 1, topP = 1, minProbability = 0 } = options
  const { topK = topP < 1 ? NUCLEUS : 2 ** 31 - 1 } = options
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    const wanted = temperature === 0 ? 'a number above 0 (`greedy` is the limit at 0)' : 'a number above 0'
    throw badArgument(op, 'temperature', wanted, temperature, 'ERR_OUT_OF_RANGE')
  }
  checkInteger(op, 'topK', topK, 1)
  if (!(topP > 0 && topP <= 1)) {
    throw badArgument(op, 'topP', 'a number above 0, at most 1', topP, 'ERR_OUT_OF_RANGE')
  }
  checkNumber(op, 'minProbability', minProbability, 0, 1)
  return { temperature, topK, topP, minProbability }
}

/** The weights of candidates with these log-probabilities [N, K]; 0 for excluded ones. Top-p needs them sorted. */
function weightsOf(values: Float, { temperature, topP, minProbability }: Shaping): Float {
  let weights = softmax(temperature === 1 ? values : scale(values, 1 / temperature))
  if (topP < 1) {
    const before = sub(cumsum(weights, 1), weights)
    weights = where(lt(before, topP), weights, 0)
  }
  if (minProbability > 0) {
    const limit = minimum(amax(values, { dim: 1, keepdim: true }), Math.log(minProbability))
    weights = where(lt(values, limit), 0, weights)
  }
  return weights
}

/**
 * Draws tokens. A step draws numbers for all sentences, living or not, so that what a sentence draws depends on the
 * seed, the step and its place among the sentences alone.
 */
function drawer(shaping: Shaping, seed: number, sentences: number): Choose {
  const generator = new Generator(seed)
  return (logProbabilities, living) => {
    const sorted =
      shaping.topK < logProbabilities.shape[1] || shaping.topP < 1
        ? topk(logProbabilities, Math.min(shaping.topK, logProbabilities.shape[1]))
        : null
    const weights = weightsOf(sorted?.values ?? logProbabilities, shaping)
    const drawn = drawnRows(weights, living, sentences, generator)
    const tokens = sorted === null ? drawn : viaBits(sorted.indices, bits => gather(bits, 1, drawn))
    return { tokens, logProbabilities: gather<number>(logProbabilities, 1, tokens) }
  }
}

/** Returns a place [N, 1] for each row of weights. */
function drawnRows(
  weights: Float,
  living: readonly number[],
  sentences: number,
  generator: Generator,
): Tensor<'int32'> {
  if (isAll(living, sentences)) return multinomial(weights, 1, { generator })
  // The first row in the place of a sentence that is done: what it draws is not read.
  const rows = new Int32Array(sentences)
  for (const [row, b] of living.entries()) rows[b] = row
  const all = multinomial(indexSelect(weights, 0, rows), 1, { generator })
  return viaBits(all, bits => indexSelect(bits, 0, living))
}

/**
 * Draws each token from the model's distribution, shaped by `temperature`, `topK`, `topP` and `minProbability`.
 *
 * The numbers are drawn on the device. A text depends on the seed, on the model, and on its place among the sentences:
 * not on the other sentences, and not on what else draws numbers. The host reads a token and a number for each sentence
 * and step.
 *
 * @param step see `DecodeStep`.
 * @returns a text for each sentence; its log-probability is the model's, without the shaping.
 * @throws PackedRnnError (rejects) as `greedy`; ERR_OUT_OF_RANGE for a temperature of 0, which is `greedy`.
 * @example
 * ```ts
 * import { type PackedIds, zeros } from 'packed-rnn'
 * import { sample } from 'packed-rnn/decoding'
 *
 * const step = (last: PackedIds) => ({ logits: zeros([last.ids.length, 6]), state: null }) // a die
 * const options = { state: null, sentences: 1, begin: 0, end: null, maxLength: 8, seed: 1 }
 * const [[first], [again]] = [await sample(step, options), await sample(step, options)]
 * console.log(first?.tokens.length, first?.tokens.join() === again?.tokens.join()) // 8 true
 * console.log(first?.logProbability.toFixed(3)) // -14.334
 * ```
 */
export async function sample<S extends State>(
  step: DecodeStep<S>,
  options: SampleOptions<S>,
): Promise<Decoded[]> {
  const op = 'sample'
  const plan = planOf<S, SampleOptions<S>>(op, options, sampleNames)
  const choose = drawer(shapingOf(op, options), options.seed, plan.sentences)
  return collected(tokenSteps(op, step, plan, choose), plan)
}

/**
 * `sample`, one step at a time: yields the tokens of each step as soon as they are known, without end marks. Meanwhile the
 * device computes the next step.
 *
 * @throws PackedRnnError (rejects) as `sample`, from the first `next()` on.
 * @example
 * ```ts
 * import { type PackedIds, zeros } from 'packed-rnn'
 * import { sampleStream } from 'packed-rnn/decoding'
 *
 * const step = (last: PackedIds) => ({ logits: zeros([last.ids.length, 2]), state: null }) // a coin
 * const options = { state: null, sentences: 1, begin: 0, end: null, maxLength: 20, seed: 1 }
 * let heads = 0
 * for await (const { tokens } of sampleStream(step, options)) heads += tokens[0]!
 * console.log(heads > 2, heads < 18) // true true
 * ```
 */
export async function* sampleStream<S extends State>(
  step: DecodeStep<S>,
  options: SampleOptions<S>,
): AsyncGenerator<DecodedTokens, void, void> {
  const op = 'sampleStream'
  const plan = planOf<S, SampleOptions<S>>(op, options, sampleNames)
  const choose = drawer(shapingOf(op, options), options.seed, plan.sentences)
  yield* withoutEnds(tokenSteps(op, step, plan, choose), plan.end)
}
