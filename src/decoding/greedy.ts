import { topk } from '../ops/order.js'
import type { State } from '../state.js'
import { type Decoded, type DecodeOptions, decodeNames, planOf } from './options.js'
import type { DecodeStep } from './step.js'
import { type Choose, collected, type DecodedTokens, tokenSteps, withoutEnds } from './tokens.js'

const mostProbable: Choose = logProbabilities => {
  const { values, indices } = topk(logProbabilities, 1)
  return { tokens: indices, logProbabilities: values }
}

/**
 * Takes the most probable token at each step; the first among equals.
 *
 * The log-probabilities stay on the device. The host reads a token and a number for each sentence and step.
 *
 * @param step see `DecodeStep`. A sentence that ended is an empty sequence of `last`.
 * @returns a text for each sentence.
 * @throws PackedRnnError (rejects) for an invalid or unknown option; ERR_SHAPE if the logits or a part of the state don't
 * have a row for each hypothesis; ERR_NON_FINITE for logits without a largest finite number; the signal's reason.
 * @example
 * ```ts
 * import { type PackedIds, tensor } from 'packed-rnn'
 * import { greedy } from 'packed-rnn/decoding'
 *
 * const after = [[0, 2, 1], [3, 0, 1], [0, 0, 0]] // the logits after each of three tokens
 * const step = ({ ids }: PackedIds) => ({ logits: tensor([...ids].flatMap(id => after[id]!), [ids.length, 3]), state: null })
 * const found = await greedy(step, { state: null, sentences: 2, begin: [0, 2], end: 2, maxLength: 3 })
 * console.log(found.map(({ tokens }) => tokens)) // [[1, 0, 1], [0, 1, 0]]
 * ```
 */
export async function greedy<S extends State>(
  step: DecodeStep<S>,
  options: DecodeOptions<S>,
): Promise<Decoded[]> {
  const plan = planOf<S, DecodeOptions<S>>('greedy', options, decodeNames)
  return collected(tokenSteps('greedy', step, plan, mostProbable), plan)
}

/**
 * `greedy`, one step at a time: yields the tokens of each step as soon as they are known, without end marks. Meanwhile the
 * device computes the next step.
 *
 * @throws PackedRnnError (rejects) as `greedy`, from the first `next()` on.
 * @example
 * ```ts
 * import { type PackedIds, tensor } from 'packed-rnn'
 * import { greedyStream } from 'packed-rnn/decoding'
 *
 * const step = (last: PackedIds) => ({ logits: tensor(last.ids[0] === 0 ? [0, 2, 1] : [1, 0, 2], [1, 3]), state: null })
 * for await (const { tokens } of greedyStream(step, { state: null, sentences: 1, begin: 0, end: 2, maxLength: 9 })) {
 *   console.log(tokens) // [1]
 * }
 * ```
 */
export async function* greedyStream<S extends State>(
  step: DecodeStep<S>,
  options: DecodeOptions<S>,
): AsyncGenerator<DecodedTokens, void, void> {
  const plan = planOf<S, DecodeOptions<S>>('greedyStream', options, decodeNames)
  yield* withoutEnds(tokenSteps('greedyStream', step, plan, mostProbable), plan.end)
}
